package io.kvbm.remote;

import java.time.Duration;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

class PeerBreakerTest {

    private static final Duration NANO = Duration.ofNanos(1);
    private static final Duration WINDOW = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofSeconds(30);
    private static final Duration LONGEST = Duration.ofSeconds(100);

    private final ManualClock clock = new ManualClock();
    private final PeerBreaker breaker = new PeerBreaker(
            new PeerLimits(1, 1, 3, WINDOW, PAUSE, LONGEST, Duration.ZERO), clock);

    /** Makes an attempt that fails. */
    private void fail() {
        assertThat(breaker.tryAttempt()).isTrue();
        breaker.failed();
    }

    private void open() {
        fail();
        fail();
        fail();
        assertThat(breaker.isOpen()).isTrue();
    }

    private void requirePauseOf(Duration pause) {
        assertThat(breaker.tryAttempt()).isFalse();
        clock.pass(pause.minus(NANO));
        assertThat(breaker.tryAttempt()).isFalse();
        clock.pass(NANO);
    }

    @Test
    void aPeerIsLeftAloneAfterAsManyFailuresWithinTheWindow() {
        fail();
        clock.pass(WINDOW);
        fail();
        assertThat(breaker.isOpen()).isFalse();
        fail();
        assertThat(breaker.isOpen()).isTrue();
        assertThat(breaker.tryAttempt()).isFalse();
    }

    @Test
    void failuresFurtherApartDoNotCountTogether() {
        fail();
        for (int i = 0; i < 10; i++) {
            clock.pass(WINDOW.dividedBy(2).plus(NANO));
            fail();
        }
        assertThat(breaker.isOpen()).isFalse();
    }

    @Test
    void afterThePauseThereIsOneAttemptUntilItHasEnded() {
        open();
        requirePauseOf(PAUSE);
        assertThat(breaker.tryAttempt()).isTrue();
        assertThat(breaker.tryAttempt()).isFalse();
        assertThat(breaker.isOpen()).isTrue();
        breaker.succeeded();
        assertThat(breaker.isOpen()).isFalse();
        assertThat(breaker.tryAttempt()).isTrue();
        assertThat(breaker.tryAttempt()).isTrue();
    }

    @Test
    void thePauseDoublesWithEveryFailureUpToTheLongest() {
        open();
        requirePauseOf(PAUSE);
        fail();
        requirePauseOf(PAUSE.multipliedBy(2));
        fail();
        requirePauseOf(LONGEST);
        fail();
        requirePauseOf(LONGEST);
        fail();
    }

    @Test
    void aSuccessForgetsEverything() {
        fail();
        fail();
        breaker.succeeded();
        open();
        requirePauseOf(PAUSE);
        fail();
        requirePauseOf(PAUSE.multipliedBy(2));
        assertThat(breaker.tryAttempt()).isTrue();
        breaker.succeeded();
        open();
        requirePauseOf(PAUSE);
    }

    @Test
    void attemptsFromBeforeThePauseThatEndWithinItDecideNothing() {
        assertThat(breaker.tryAttempt()).isTrue();
        assertThat(breaker.tryAttempt()).isTrue();
        open();
        breaker.succeeded();
        assertThat(breaker.isOpen()).isTrue();
        breaker.failed();
        requirePauseOf(PAUSE);
        assertThat(breaker.tryAttempt()).isTrue();
    }
}
