package io.kvbm;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;

/**
 * The way between two processes by a pair of pipes: frames of a length, a kind, the number of the question, and bytes.
 * Both ask and answer at once. Besides what workers ask of each other, one may give the other orders in words.
 */
final class PipeLink implements PeerLink {

    private static final int QUESTION = 1;
    private static final int ORDER = 2;
    private static final int ANSWER = 3;
    private static final int SECONDS = 20;
    private static final String FAILED = "!";

    private final DataInputStream in;
    private final DataOutputStream out;
    private final UnaryOperator<String> orders;
    private final Map<Long, CompletableFuture<byte[]>> asked = new ConcurrentHashMap<>();
    private final AtomicLong numbers = new AtomicLong();
    private final ExecutorService answering = Executors.newVirtualThreadPerTaskExecutor();
    private final Thread reading;
    private volatile @Nullable PeerLink desk;
    private volatile boolean ended;

    /** A way whose other end may give orders. */
    PipeLink(InputStream in, OutputStream out, UnaryOperator<String> orders) {
        this.in = new DataInputStream(new BufferedInputStream(in));
        this.out = new DataOutputStream(new BufferedOutputStream(out));
        this.orders = orders;
        this.reading = Thread.ofPlatform().name("pipe").daemon().start(this::read);
    }

    /** Who answers the questions of the other end from now on. */
    void answerBy(PeerLink worker) {
        desk = worker;
    }

    /** Waits until the other end is gone. */
    void awaitEnd() throws InterruptedException {
        reading.join();
    }

    // ---------------------------------------------------------------------------------------------- ask

    @Override
    public PeerAnswer ask(PeerRequest request) {
        return ControlCodec.decodeAnswer(ask(QUESTION, ControlCodec.encode(request)));
    }

    /**
     * Gives the other end an order and waits for what it says.
     *
     * @throws IllegalStateException with what it says where it has failed
     */
    String order(String words) {
        String said = new String(ask(ORDER, words.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
        if (said.startsWith(FAILED)) {
            throw new IllegalStateException(said.substring(FAILED.length()));
        }
        return said;
    }

    private byte[] ask(int kind, byte[] message) {
        long number = numbers.getAndIncrement();
        CompletableFuture<byte[]> answer = new CompletableFuture<>();
        asked.put(number, answer);
        try {
            send(kind, number, message);
            if (ended) {
                throw new IOException("The pipe has ended");
            }
            return answer.get(SECONDS, TimeUnit.SECONDS);
        } catch (IOException | ExecutionException e) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "The other process is gone", e);
        } catch (TimeoutException e) {
            throw new RemoteException(RemoteException.Kind.DEADLINE, "No answer in " + SECONDS + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "Interrupted", e);
        } finally {
            asked.remove(number);
        }
    }

    private void send(int kind, long number, byte[] message) throws IOException {
        synchronized (out) {
            out.writeInt(message.length);
            out.writeByte(kind);
            out.writeLong(number);
            out.write(message);
            out.flush();
        }
    }

    // ---------------------------------------------------------------------------------------------- answer

    private void read() {
        try (answering) {
            while (true) {
                int length = in.readInt();
                if (length < 0 || length > ControlCodec.MAX_ANSWER_BYTES) {
                    throw new IOException("A frame of " + length + " bytes");
                }
                int kind = in.readByte();
                long number = in.readLong();
                byte[] message = new byte[length];
                in.readFully(message);
                take(kind, number, message);
            }
        } catch (IOException e) {
            ended = true;
            asked.values().forEach(answer -> answer.completeExceptionally(e));
        }
    }

    private void take(int kind, long number, byte[] message) throws IOException {
        switch (kind) {
            case QUESTION -> answer(number, () -> ControlCodec.encode(answer(message)));
            case ORDER -> answer(number, () -> obey(message));
            case ANSWER -> {
                CompletableFuture<byte[]> answer = asked.remove(number);
                if (answer != null) {
                    answer.complete(message);
                }
            }
            default -> throw new IOException("A frame of kind " + kind);
        }
    }

    private void answer(long number, Supplier<byte[]> answer) {
        answering.execute(() -> {
            try {
                send(ANSWER, number, answer.get());
            } catch (IOException e) {
                ended = true; // who has asked is gone
            }
        });
    }

    private PeerAnswer answer(byte[] request) {
        PeerLink worker = desk;
        return worker == null ? new PeerAnswer.Refused(RemoteException.Kind.TRANSPORT, "Nobody is here yet")
                : worker.ask(ControlCodec.decodeRequest(request));
    }

    private byte[] obey(byte[] words) {
        String said;
        try {
            said = orders.apply(new String(words, StandardCharsets.UTF_8));
        } catch (RuntimeException e) {
            said = FAILED + (e instanceof RemoteException remote ? remote.kind() + ": " : "") + e.getMessage();
        }
        return said.getBytes(StandardCharsets.UTF_8);
    }
}
