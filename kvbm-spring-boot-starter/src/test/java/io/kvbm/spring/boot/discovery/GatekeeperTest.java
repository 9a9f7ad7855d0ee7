package io.kvbm.spring.boot.discovery;

import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.spring.boot.discovery.Gatekeeper.Visitor;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class GatekeeperTest {

    private static final String PATH = "/kvbm/state?asker=1";
    private static final Duration MILLI = Duration.ofMillis(1);

    private final ManualTime time = new ManualTime();
    private final Member member = new Member(Member.KEY, time);
    private final Gatekeeper gatekeeper = new Gatekeeper(new MessageSigner(Member.KEY), null, false, time);
    private final Authority authority = Authority.of(
            Certificates.made().bundle(Certificates.ONE, Certificates.AUTHORITY), "cluster");
    private final Gatekeeper certifying = new Gatekeeper(null, authority, false, time);
    private final Gatekeeper keyless = new Gatekeeper(null, null, false, time);

    private Map<String, String> question() {
        return member.headers("GET", PATH, Member.NOTHING);
    }

    private void admit(Map<String, String> headers) {
        gatekeeper.admit(Member.visitor(headers), "GET", PATH, Member.NOTHING);
    }

    private void rejected(int status, String why, Map<String, String> headers) {
        assertThatExceptionOfType(Rejection.class).isThrownBy(() -> admit(headers))
                .withMessageContaining(why)
                .extracting(Rejection::status)
                .isEqualTo(status);
    }

    private static Visitor unsigned(String from, String to) {
        return new Visitor(from, to, false, List.of(), null, null, null, null);
    }

    private static void turnedAway(Gatekeeper gatekeeper, Visitor visitor) {
        assertThatExceptionOfType(Rejection.class).isThrownBy(() -> gatekeeper.look(visitor))
                .withMessageContaining("kvbm.cluster.key")
                .extracting(Rejection::status)
                .isEqualTo(403);
        assertThatExceptionOfType(Rejection.class)
                .isThrownBy(() -> gatekeeper.admit(visitor, "GET", PATH, Member.NOTHING));
    }

    private static void letIn(Gatekeeper gatekeeper, Visitor visitor) {
        assertThatCode(() -> gatekeeper.look(visitor)).doesNotThrowAnyException();
        assertThatCode(() -> gatekeeper.admit(visitor, "GET", PATH, Member.NOTHING)).doesNotThrowAnyException();
    }

    // ---------------------------------------------------------------------------------------------- with a key

    @Test
    void whoeverHasTheKeyIsLetIn() {
        assertThatCode(() -> admit(question())).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {MessageSigner.TIME, MessageSigner.NONCE, MessageSigner.SIGNATURE})
    void whatIsNotSignedIsTurnedAwayBeforeItIsRead(String missing) {
        Map<String, String> headers = question();
        headers.remove(missing);
        rejected(401, "not signed", headers);
        assertThatExceptionOfType(Rejection.class).isThrownBy(() -> gatekeeper.look(Member.visitor(headers)));
    }

    @Test
    void aKeyIsAskedForOnThisMachineTooAndOfWhoShowsACertificate() {
        assertThatExceptionOfType(Rejection.class)
                .isThrownBy(() -> gatekeeper
                        .look(new Visitor(Member.HERE, Member.HERE, false,
                                Certificates.made().chain(Certificates.ONE), null, null, null, null)))
                .extracting(Rejection::status)
                .isEqualTo(401);
    }

    @Test
    void anotherKeyIsWrong() {
        rejected(401, "signature is wrong", new Member(Member.OTHER_KEY, time).headers("GET", PATH, Member.NOTHING));
    }

    @Test
    void whatIsSignedIsWhatIsAsked() {
        rejected(401, "signature is wrong", member.headers("POST", PATH, Member.NOTHING));
        rejected(401, "signature is wrong", member.headers("GET", "/kvbm/state?asker=2", Member.NOTHING));
        rejected(401, "signature is wrong", member.headers("GET", PATH, new byte[1]));
        for (Addressee other : new Addressee[]{new Addressee(5, 7), new Addressee(6, 6), new Addressee(56, 0)}) {
            Map<String, String> headers = member.to(new Addressee(5, 6)).headers("GET", PATH, Member.NOTHING);
            headers.put(Addressee.HEADER, other.toString());
            rejected(401, "signature is wrong", headers);
            headers.remove(Addressee.HEADER);
            rejected(401, "signature is wrong", headers);
            Map<String, String> unaddressed = question();
            unaddressed.put(Addressee.HEADER, other.toString());
            rejected(401, "signature is wrong", unaddressed);
        }
        for (String header : new String[]{MessageSigner.TIME, MessageSigner.NONCE}) {
            Map<String, String> headers = question();
            time.pass(MILLI);
            headers.put(header, question().get(header));
            rejected(401, "signature is wrong", headers);
        }
    }

    @ParameterizedTest
    @CsvSource({"-60000, 0", "60000, 0", "-60001, 401", "60001, 401"})
    void clocksMayBeAMinuteApartAndNoMore(long apart, int status) {
        Map<String, String> headers = question();
        time.set(Duration.ofMillis(apart));
        if (status == 0) {
            assertThatCode(() -> admit(headers)).doesNotThrowAnyException();
        } else {
            rejected(status, "clocks", headers);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "-1", "1.7e12", "0x10", "1700000000000 ", "9999999999999999",
        "99999999999999999999999", "\u0661\u0667\u0660\u0660", "1700000000000\n"})
    void aTimeThatIsNoneIsSaidSo(String wrong) {
        Map<String, String> headers = question();
        headers.put(MessageSigner.TIME, wrong);
        rejected(401, "none", headers);
    }

    @Test
    void theLongestTimeThatIsReadIsTooFarAway() {
        Map<String, String> headers = question();
        String longest = "999999999999999";
        headers.put(MessageSigner.TIME, longest);
        headers.put(MessageSigner.NONCE, Member.NONCE);
        headers.put(MessageSigner.SIGNATURE,
                new MessageSigner(Member.KEY).question("GET", PATH, null, longest, Member.NONCE, Member.NOTHING));
        rejected(401, "clocks", headers);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "00112233445566778899aabbccddeeff0", "00112233445566778899AABBCCDDEEFF",
        "00112233445566778899aabbccddeefg", "00112233445566778899aabbccddeeff\n"})
    void aNonceThatIsNoneIsSaidSo(String wrong) {
        Map<String, String> headers = question();
        headers.put(MessageSigner.NONCE, wrong);
        rejected(401, "none", headers);
    }

    // ---------------------------------------------------------------------------------------------- replay

    @Test
    void whatWasAskedBeforeIsNotAnsweredAgain() {
        Map<String, String> headers = question();
        admit(headers);
        rejected(401, "asked before", headers);
        time.pass(Gatekeeper.TOLERANCE);
        rejected(401, "asked before", headers);
        time.pass(MILLI);
        rejected(401, "clocks", headers);
    }

    @Test
    void aQuestionFromAClockThatIsAheadIsRememberedUntilItsTimeIsOver() {
        time.pass(Gatekeeper.TOLERANCE);
        Map<String, String> ahead = question();
        time.set(Gatekeeper.TOLERANCE.negated());
        admit(ahead);
        fill(Gatekeeper.NONCES / 2 - 1); // from here on it is tidied
        time.pass(Gatekeeper.TOLERANCE.multipliedBy(2));
        admit(question());
        rejected(401, "asked before", ahead);
        time.pass(MILLI);
        rejected(401, "clocks", ahead);
    }

    @Test
    void aRejectedQuestionUsesNoNonceUp() {
        Map<String, String> headers = question();
        Map<String, String> forged = Map.of(MessageSigner.TIME, headers.get(MessageSigner.TIME), MessageSigner.NONCE,
                headers.get(MessageSigner.NONCE), MessageSigner.SIGNATURE, "0".repeat(64));
        rejected(401, "signature is wrong", forged);
        assertThatCode(() -> admit(headers)).doesNotThrowAnyException();
    }

    private void fill(int questions) {
        for (int i = 0; i < questions; i++) {
            admit(question());
        }
    }

    @Test
    void moreQuestionsThanCanBeRememberedAreNotAnsweredUntilSomeAreForgotten() {
        fill(Gatekeeper.NONCES);
        rejected(429, "ask less often", question());
        time.pass(Gatekeeper.TOLERANCE.multipliedBy(2));
        rejected(429, "ask less often", question());
        time.pass(Gatekeeper.TOLERANCE.dividedBy(4).plus(MILLI));
        assertThatCode(() -> admit(question())).doesNotThrowAnyException();
        fill(Gatekeeper.NONCES - 1); // all were forgotten but the one
        rejected(429, "ask less often", question());
    }

    @Test
    void aClockThatIsSetBackDoesNotKeepQuestionsFromBeingForgotten() {
        fill(Gatekeeper.NONCES / 2);
        time.pass(Gatekeeper.TOLERANCE);
        admit(question()); // tidied a moment ago
        time.set(Duration.ofHours(-1));
        fill(Gatekeeper.NONCES / 2 - 1);
        rejected(429, "ask less often", question());
        time.pass(Gatekeeper.TOLERANCE.multipliedBy(2).plus(MILLI));
        assertThatCode(() -> admit(question())).doesNotThrowAnyException();
    }

    // ---------------------------------------------------------------------------------------------- by certificate

    private static Visitor certified(String name, boolean handedOn) {
        return new Visitor(Member.ELSEWHERE, "192.0.2.8", handedOn, Certificates.made().chain(name), null, null, null,
                null);
    }

    @ParameterizedTest
    @ValueSource(strings = {Certificates.ONE, Certificates.OTHER})
    void whoeverTheAuthorityVouchesForIsLetIn(String name) {
        letIn(certifying, certified(name, false));
    }

    @ParameterizedTest
    @ValueSource(strings = {Certificates.FOREIGNER, Certificates.FOREIGN_AUTHORITY})
    void whomAnotherAuthorityVouchesForIsTurnedAway(String name) {
        turnedAway(certifying, certified(name, false));
    }

    @Test
    void aChainOfSomebodyElseBehindOnesOwnCertificateDoesNotHelp() {
        List<X509Certificate> chain = List.of(Certificates.made().chain(Certificates.FOREIGNER).getFirst(),
                Certificates.made().chain(Certificates.ONE).getLast());
        turnedAway(certifying, new Visitor(Member.ELSEWHERE, "192.0.2.8", false, chain, null, null, null, null));
    }

    @Test
    void aProxysCertificateIsNotThatOfWhoAsksThroughIt() {
        turnedAway(certifying, certified(Certificates.ONE, true));
    }

    @Test
    void whoHasNoCertificateIsTurnedAwayOnThisMachineToo() {
        turnedAway(certifying, unsigned(Member.HERE, Member.HERE));
    }

    // ---------------------------------------------------------------------------------------------- without a key

    @ParameterizedTest
    @CsvSource({"127.0.0.1, 127.0.0.1", "127.3.2.1, 127.0.0.1", "::1, ::1", "0:0:0:0:0:0:0:1, 0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1, 127.0.0.1"})
    void withoutAKeyThisMachineIsLetIn(String from, String to) {
        letIn(keyless, unsigned(from, to));
    }

    @ParameterizedTest
    @CsvSource({"192.0.2.7, 192.0.2.8", "192.0.2.7, 127.0.0.1", "2001:db8::1, ::1", "::ffff:192.0.2.7, ::1",
        "0.0.0.0, 127.0.0.1", "::, ::1", "localhost, 127.0.0.1", "127.0.0.1.example.org, 127.0.0.1",
        "128.0.0.1, 127.0.0.1", "'', 127.0.0.1", "unknown, 127.0.0.1", "127.0.0.1:80, 127.0.0.1"})
    void withoutAKeyNobodyElseIs(String from, String to) {
        turnedAway(keyless, unsigned(from, to));
    }

    @Test
    void whoOnlySaysThatItIsHereIsTurnedAway() {
        turnedAway(keyless, unsigned("127.0.0.1", "192.0.2.8"));
        turnedAway(keyless, new Visitor("127.0.0.1", "127.0.0.1", true, List.of(), null, null, null, null));
    }

    @Test
    void withoutAuthorityACertificateProvesNothing() {
        turnedAway(keyless, certified(Certificates.ONE, false));
    }

    @Test
    void whereEverybodyIsLetInTheOnesWithoutCertificateAreToo() {
        letIn(new Gatekeeper(null, authority, true, time), unsigned(Member.ELSEWHERE, "192.0.2.8"));
    }

    @Test
    void whereItIsToldSoEverybodyIsLetIn() {
        letIn(new Gatekeeper(null, null, true, time),
                new Visitor(Member.ELSEWHERE, "192.0.2.8", true, List.of(), null, null, null, null));
    }

    @Test
    void aKeyCountsWhereEverybodyWouldBeLetIn() {
        Gatekeeper both = new Gatekeeper(new MessageSigner(Member.KEY), null, true, time);
        assertThatExceptionOfType(Rejection.class).isThrownBy(() -> both.look(unsigned(Member.HERE, Member.HERE)))
                .extracting(Rejection::status)
                .isEqualTo(401);
    }
}
