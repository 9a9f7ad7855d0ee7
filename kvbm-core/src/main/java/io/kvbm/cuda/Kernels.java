package io.kvbm.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

import io.kvbm.error.CudaException;
import io.kvbm.error.Releases;
import io.kvbm.error.TransferException;
import io.kvbm.transfer.RowOrder;

/** The kernel that moves many pieces in one launch, in the widths that addresses and sizes allow. */
final class Kernels {

    /** The kernel as PTX, from which the driver makes code for its GPU. */
    static final String RESOURCE = "move.ptx";

    private static final int THREADS = 256;

    /** What one thread has on its way at once; the kernel's own number. */
    private static final int IN_FLIGHT = 4;

    private static final int MOST_ROWS = 64;

    private final Driver driver;
    private final Driver.Function by16;
    private final Driver.Function by4;
    private final Driver.Function by1;

    private Kernels(Driver driver, Driver.Module module) {
        this.driver = driver;
        this.by16 = driver.function(module, "kvbm_move_16");
        this.by4 = driver.function(module, "kvbm_move_4");
        this.by1 = driver.function(module, "kvbm_move_1");
    }

    /** Loads them into the context of the calling thread. */
    static Kernels load(Driver driver, Releases releases) {
        Driver.Module module = driver.load(ptx());
        releases.add(() -> driver.unload(module));
        return new Kernels(driver, module);
    }

    static String ptx() {
        try (InputStream resource = Kernels.class.getResourceAsStream(RESOURCE)) {
            if (resource == null) {
                throw new CudaException(CudaException.Kind.SETUP_FAILED, null,
                        RESOURCE + " is missing beside " + Kernels.class.getName() + "; repackage kvbm-core whole");
            }
            return new String(resource.readAllBytes(), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Moves pieces that are listed at this address. */
    void move(Pieces pieces, long list, Driver.Stream stream) {
        if (pieces.bytes() > Integer.MAX_VALUE) {
            throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES, "A region of " + pieces.bytes()
                    + " bytes changes its order of heads, over the limit of " + Integer.MAX_VALUE
                    + "; give both levels the same order");
        }
        long bits = pieces.alignmentBits();
        int width = (bits & 15) == 0 ? 16 : (bits & 3) == 0 ? 4 : 1;
        long units = pieces.bytes() / width;
        int rows = Math.clamp(units / ((long) THREADS * IN_FLIGHT), 1, MOST_ROWS);
        RowOrder order = pieces.order();
        driver.launch(width == 16 ? by16 : width == 4 ? by4 : by1, new Driver.Grid(pieces.count(), rows, THREADS),
                stream,
                list, (int) pieces.bytes(), order.outer(), order.inner(), (int) order.rowBytes());
    }
}
