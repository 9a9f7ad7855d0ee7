package io.kvbm.cuda;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;

import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * What a machine with a GPU is asked: {@code test} runs every test tagged {@code cuda}, {@code bench} the benchmark. It
 * is packed with all that it needs, as such machines have a driver and nothing else. What it found is said first, on
 * standard error.
 */
public final class GpuSuite {

    private static final Path DRIVER = Path.of("/proc/driver/nvidia/version");

    private GpuSuite() {}

    /** Ends with 0 where there is a GPU and everything went well. */
    public static void main(String[] args) {
        String what = args.length == 1 ? args[0] : "";
        System.exit(switch (Cuda.find()) {
            case Cuda.Absent absent -> {
                System.err.println(absent.description());
                yield 1;
            }
            case CudaLibrary library -> {
                introduce(library);
                yield switch (what) {
                    case "test" -> test();
                    case "bench" -> bench(library);
                    default -> {
                        System.err.println("\"" + what + "\" is asked for; ask for test or bench");
                        yield 2;
                    }
                };
            }
        });
    }

    private static void introduce(CudaLibrary library) {
        System.err.println(Instant.now().truncatedTo(ChronoUnit.SECONDS));
        try (CudaDevice device = library.device(0)) {
            System.err.println(device + ", " + (device.freeMemory() >> 20) + " MiB of memory free");
        }
        System.err.println(library.description() + (Files.isReadable(DRIVER) ? "; " + driver() : ""));
    }

    private static String driver() {
        try {
            return Files.readAllLines(DRIVER, StandardCharsets.US_ASCII).getFirst();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int bench(CudaLibrary library) {
        try (CudaDevice device = library.device(0)) {
            new CudaBench(device).run();
        }
        return 0;
    }

    private static int test() {
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectClasspathRoots(Set.of(tests())))
                .filters(TagFilter.includeTags("cuda"))
                .build();
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        LauncherFactory.create().execute(request, listener, new Told());
        TestExecutionSummary summary = listener.getSummary();
        summary.printFailuresTo(new PrintWriter(System.out, true, StandardCharsets.UTF_8), 50);
        System.out.println(summary.getTestsSucceededCount() + " tests passed, " + summary.getTotalFailureCount()
                + " failed, of " + summary.getTestsFoundCount());
        return summary.getTestsSucceededCount() > 0 && summary.getTotalFailureCount() == 0 ? 0 : 1;
    }

    private static Path tests() {
        try {
            return Path.of(GpuSuite.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A line for each test, and for what is skipped, with the reason. */
    private static final class Told implements TestExecutionListener {

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            if (test.isTest()) {
                System.out.println(result.getStatus() + " " + name(test));
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            System.out.println("SKIPPED " + name(test) + ": " + reason);
        }

        private static String name(TestIdentifier test) {
            String name = test.getLegacyReportingName();
            return test.getSource().orElse(null) instanceof MethodSource method
                    ? method.getJavaClass().getSimpleName() + "." + name
                    : name;
        }
    }
}
