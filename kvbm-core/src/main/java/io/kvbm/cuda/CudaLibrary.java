package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.CudaException;

/** NVIDIA's driver, loaded into this process, and its GPUs. */
public final class CudaLibrary implements Cuda {

    private static final String LIBRARY = "libcuda.so.1";

    private static @Nullable CudaLibrary loaded;

    private final Driver driver;
    private final int version;
    private final int devices;
    private final Map<Integer, CudaDevice> open = new HashMap<>();
    private final PinnedRanges pinned = new PinnedRanges();

    private CudaLibrary(Driver driver, int version, int devices) {
        this.driver = driver;
        this.version = version;
        this.devices = devices;
    }

    /** The one library of the process; made by the first call that finds it. */
    static synchronized Cuda load() {
        if (loaded != null) {
            return loaded;
        }
        Optional<String> missing = missing();
        return missing.isPresent() ? new Absent(missing.get()) : start();
    }

    /**
     * JCuda's classes load their native part when they are initialised, and stay broken where that fails; so what it
     * needs is looked for before any of them is touched.
     */
    @SuppressWarnings("restricted")
    private static Optional<String> missing() {
        try {
            SymbolLookup.libraryLookup(LIBRARY, Arena.global());
            return JcudaFiles.foreign(Path.of(System.getProperty("java.io.tmpdir")))
                    .map(file -> file
                            + " can be written by other users, and JCuda would load it; remove it, or set java.io.tmpdir");
        } catch (IllegalArgumentException e) {
            return Optional.of("there is no " + LIBRARY
                    + ", which comes with NVIDIA's driver; install the driver, or let the container see it");
        } catch (IllegalCallerException e) {
            return Optional.of("native access is denied; start the JVM with --enable-native-access=ALL-UNNAMED");
        }
    }

    private static Cuda start() {
        try {
            Driver driver = new Driver();
            driver.init();
            CudaLibrary library = new CudaLibrary(driver, driver.version(), driver.deviceCount());
            loaded = library;
            return library;
        } catch (CudaException e) {
            return new Absent(firstLine(e));
        } catch (NoClassDefFoundError e) {
            return new Absent(e.getCause() instanceof ClassNotFoundException
                    ? "JCuda is not on the class path; add org.jcuda:jcuda"
                    : "JCuda cannot be loaded: " + firstLine(e));
        } catch (LinkageError e) {
            return new Absent("JCuda cannot be loaded: " + firstLine(e));
        }
    }

    private static String firstLine(Throwable failure) {
        return String.valueOf(failure.getMessage()).lines().findFirst().orElse(failure.toString());
    }

    /** The number of GPUs that this process sees. */
    public int devices() {
        return devices;
    }

    /** The version of CUDA that the driver speaks, such as 12060 for 12.6. */
    public int version() {
        return version;
    }

    @Override
    public String description() {
        return "CUDA " + version / 1000 + "." + version % 1000 / 10 + " is used, " + devices
                + (devices == 1 ? " GPU is there" : " GPUs are there");
    }

    /**
     * A GPU, which stays open until it is closed; the same object while it is.
     *
     * @param ordinal which one, counted as CUDA does
     * @throws CudaException {@code SETUP_FAILED} where there is none with this ordinal or it cannot be used;
     *         {@code OUT_OF_MEMORY}
     */
    public CudaDevice device(int ordinal) {
        if (ordinal < 0 || ordinal >= devices) {
            throw new CudaException(CudaException.Kind.SETUP_FAILED, null, "GPU " + ordinal + " is asked for and "
                    + devices + " are there, counted from 0; correct the number or CUDA_VISIBLE_DEVICES");
        }
        synchronized (open) {
            CudaDevice device = open.get(ordinal);
            if (device == null || device.isClosed()) {
                device = CudaDevice.open(driver, pinned, ordinal);
                open.put(ordinal, device);
            }
            return device;
        }
    }

    /** How many contexts, streams, events, modules, pieces of device memory and page-locked ranges are held. */
    public long openHandles() {
        return driver.openHandles();
    }
}
