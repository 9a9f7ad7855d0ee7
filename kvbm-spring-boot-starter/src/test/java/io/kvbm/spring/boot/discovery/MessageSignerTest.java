package io.kvbm.spring.boot.discovery;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

class MessageSignerTest {

    private static final String PATH = "/kvbm/ask?x=1";
    private static final String TO = "5/6";
    private static final String TIME = "1700000000000";
    private static final byte[] BODY = Member.bytes("body");

    private final MessageSigner signer = new MessageSigner(Member.KEY);

    private static String mac(String key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return HexFormat.of().formatHex(mac.doFinal(Member.bytes(text)));
    }

    private static String sha256(byte[] body) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
    }

    @Test
    void aQuestionIsSignedAsItIsWrittenDown() throws GeneralSecurityException {
        assertThat(signer.question("POST", PATH, TO, TIME, Member.NONCE, BODY))
                .isEqualTo("4ebcc66504807cacadb0cf08f7f4fa55b113e7fb5733eee73a7e705f946e5121") // by Python's hmac
                .isEqualTo(mac(Member.KEY, String.join("\n", "kvbm-question-1", "POST", PATH, TO, TIME, Member.NONCE,
                        sha256(BODY))));
    }

    @Test
    void anAnswerIsSignedAsItIsWrittenDown() throws GeneralSecurityException {
        assertThat(signer.answer(Member.NONCE, 200, BODY))
                .isEqualTo("89e0928cc31bdf662cf0be900a5df113af8069fb48c5119fbafe0da5b1c88f48") // by Python's hmac
                .isEqualTo(mac(Member.KEY, String.join("\n", "kvbm-answer-1", Member.NONCE, "200", sha256(BODY))));
    }

    @Test
    void everythingOfAQuestionMatters() {
        List<String> signatures = List.of(signer.question("POST", PATH, TO, TIME, Member.NONCE, BODY),
                new MessageSigner(Member.OTHER_KEY).question("POST", PATH, TO, TIME, Member.NONCE, BODY),
                signer.question("GET", PATH, TO, TIME, Member.NONCE, BODY),
                signer.question("POST", "/kvbm/ask?x=2", TO, TIME, Member.NONCE, BODY),
                signer.question("POST", "/kvbm/ask", TO, TIME, Member.NONCE, BODY),
                signer.question("POST", PATH, "5/60", TIME, Member.NONCE, BODY),
                signer.question("POST", PATH, null, TIME, Member.NONCE, BODY),
                signer.question("POST", PATH, TO, "1700000000001", Member.NONCE, BODY),
                signer.question("POST", PATH, TO, TIME, Member.NONCE.replace('f', 'e'), BODY),
                signer.question("POST", PATH, TO, TIME, Member.NONCE, Member.bytes("bodz")),
                signer.question("POST", PATH, TO, TIME, Member.NONCE, Member.NOTHING));
        assertThat(signatures).doesNotHaveDuplicates();
    }

    @Test
    void everythingOfAnAnswerMatters() {
        List<String> signatures = List.of(signer.answer(Member.NONCE, 200, BODY),
                new MessageSigner(Member.OTHER_KEY).answer(Member.NONCE, 200, BODY),
                signer.answer(Member.NONCE.replace('f', 'e'), 200, BODY), signer.answer(Member.NONCE, 201, BODY),
                signer.answer(Member.NONCE, 200, Member.bytes("bodz")),
                signer.answer(Member.NONCE, 200, Member.NOTHING),
                signer.question("200", "", "", "", Member.NONCE, BODY));
        assertThat(signatures).doesNotHaveDuplicates();
    }

    @Test
    void onlyTheWholeSignatureIsTheSame() {
        String signature = signer.answer(Member.NONCE, 200, BODY);
        assertThat(MessageSigner.isSame(signature, signature)).isTrue();
        assertThat(List.of("", signature.substring(1), signature + "0", signature.toUpperCase(Locale.ROOT),
                "\u00e4".repeat(64), "0" + signature.substring(1).replace('0', '1')))
                .noneMatch(other -> MessageSigner.isSame(signature, other));
    }

    @Test
    void signaturesAreComparedInATimeThatTellsNothing() {
        JavaClasses classes = new ClassFileImporter().importClasses(MessageSigner.class, Gatekeeper.class,
                MemberInterceptor.class);
        Set<String> compares = classes.get(MessageSigner.class)
                .getMethod("isSame", String.class, String.class)
                .getMethodCallsFromSelf()
                .stream()
                .map(call -> call.getTarget().getFullName())
                .collect(Collectors.toSet());
        assertThat(compares).contains("java.security.MessageDigest.isEqual([B, [B)")
                .noneMatch(name -> name.contains("equals") || name.contains("compare"));
        for (Class<?> type : List.of(Gatekeeper.class, MemberInterceptor.class)) {
            assertThat(classes.get(type).getMethodCallsFromSelf())
                    .anyMatch(call -> call.getTarget().getName().equals("isSame"))
                    .noneMatch(call -> call.getTarget().getFullName().contains("String.equals"));
        }
    }
}
