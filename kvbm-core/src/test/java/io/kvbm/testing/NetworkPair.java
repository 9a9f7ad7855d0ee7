package io.kvbm.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import static org.awaitility.Awaitility.await;

/**
 * Two network namespaces of this machine with one cable between them, as if they were two hosts. Processes within them
 * reach each other by nothing else. Only root can make them.
 */
public final class NetworkPair implements AutoCloseable {

    /** The device of the cable, which has the same name in both. */
    public static final String DEVICE = "kvbm0";

    private static final AtomicInteger NUMBERS = new AtomicInteger();

    private final String name = "kvbm" + ProcessHandle.current().pid() + "x" + NUMBERS.getAndIncrement();

    /** Makes them; where that fails, nothing of it is left. */
    public NetworkPair() {
        try {
            for (int end = 0; end < 2; end++) {
                run(List.of("ip", "netns", "add", namespace(end)));
                in(end, "ip", "link", "set", "lo", "up");
            }
            in(0, "ip", "link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns", namespace(1));
            for (int end = 0; end < 2; end++) {
                in(end, "ip", "address", "add", "10.213.7." + (1 + end) + "/24", "dev", DEVICE);
                in(end, "ip", "link", "set", DEVICE, "up");
            }
            awaitUp();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** Whether a pair can be made here. */
    public static boolean isPossible() {
        try (NetworkPair pair = new NetworkPair()) {
            pair.lose(0);
            return true;
        } catch (IllegalStateException e) {
            return false;
        }
    }

    private String namespace(int end) {
        return name + "-" + end;
    }

    /** What runs the command that follows it within one of the two. */
    public List<String> within(int end) {
        return List.of("ip", "netns", "exec", namespace(end));
    }

    /** A device is of no use, and UCX does not take it, before it has noticed that the other end is there. */
    private void awaitUp() {
        for (int end = 0; end < 2; end++) {
            int one = end;
            await().pollInterval(Duration.ofMillis(5)).until(() -> in(one, "cat", file("operstate")).equals("up"));
        }
    }

    private static String file(String name) {
        return "/sys/class/net/" + DEVICE + "/" + name;
    }

    /** Takes the cable out. */
    public void cut() {
        in(0, "ip", "link", "set", DEVICE, "down");
    }

    /** Puts the cable in again. */
    public void join() {
        in(0, "ip", "link", "set", DEVICE, "up");
        awaitUp();
    }

    /** From now on so many of a hundred packets do not arrive, in both directions. */
    public void lose(int percent) {
        String which = percent == 100 ? "" : " numgen random mod 100 < " + percent;
        for (int end = 0; end < 2; end++) {
            in(end, "nft", "flush ruleset; add table inet kvbm;"
                    + " add chain inet kvbm arriving { type filter hook input priority 0; };"
                    + " add rule inet kvbm arriving iifname " + DEVICE + which + " drop");
        }
    }

    /** The bytes that have arrived at one of the two. */
    public long arrived(int end) {
        return Long.parseLong(in(end, "cat", file("statistics/rx_bytes")));
    }

    private String in(int end, String... words) {
        List<String> command = new ArrayList<>(within(end));
        command.addAll(List.of(words));
        return run(command);
    }

    /** Returns what a command says; where it fails, it says why. */
    private static String run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            int status = process.waitFor();
            if (status != 0) {
                throw new IllegalStateException(String.join(" ", command) + " ended with " + status + ": " + said);
            }
            return said;
        } catch (IOException e) {
            throw new IllegalStateException(command.getFirst() + " cannot be run; run .ci/netns", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** The cable goes with its ends, as soon as no process is in them any more. */
    @Override
    public void close() {
        for (int end = 0; end < 2; end++) {
            if (Files.exists(Path.of("/run/netns", namespace(end)))) {
                run(List.of("ip", "netns", "delete", namespace(end)));
            }
        }
    }
}
