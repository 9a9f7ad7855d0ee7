package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

import io.kvbm.spring.boot.SmallCache;

/** Somebody who asks an instance one prompt after the other, and remembers what went wrong. */
final class Client {

    /** Prompts that all clients ask, of more blocks than an instance with {@link #BLOCKS} can hold. */
    private static final int PROMPTS = 60;

    private static final int TOKENS = 81;

    /** Blocks of an instance that has most of what it is asked for, and never all. */
    static final int BLOCKS = 800;

    private static final Duration PAUSE = Duration.ofMillis(20);

    private final ForkedInstance instance;
    private final LongAdder answers = new LongAdder();
    private final LongAdder found = new LongAdder();
    private final List<String> unanswered = new CopyOnWriteArrayList<>();
    private final List<String> wrong = new CopyOnWriteArrayList<>();
    private final CountDownLatch leaving = new CountDownLatch(1);
    private final Thread thread;

    Client(ForkedInstance instance) {
        this.instance = instance;
        this.thread = Thread.ofPlatform().name("client-of-" + instance.worker).daemon().start(this::ask);
    }

    private void ask() {
        Random random = new Random(Long.parseLong(instance.worker));
        try {
            do {
                askOnce(random.nextInt(PROMPTS));
            } while (!leaving.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            wrong.add(e.toString());
        }
    }

    private void askOnce(int prompt) {
        try {
            int reused = instance.answer(prompt, TOKENS);
            if (reused < 0 || reused >= TOKENS || reused % SmallCache.PAGE_SIZE != 0) {
                wrong.add(reused + " of " + TOKENS + " tokens were found");
            }
            answers.increment();
            found.add(reused);
        } catch (IOException e) {
            unanswered.add(e.toString());
        } catch (AssertionError | RuntimeException e) {
            wrong.add(e.toString());
        }
    }

    /** Asks no more. */
    void leave() throws InterruptedException {
        leaving.countDown();
        thread.join();
    }

    long answers() {
        return answers.sum();
    }

    /** The tokens that were found of all prompts. */
    long found() {
        return found.sum();
    }

    /** Requests that no answer came to. */
    List<String> unanswered() {
        return unanswered;
    }

    /** Requests that were answered, but not as they should be. */
    List<String> wrong() {
        return wrong;
    }
}
