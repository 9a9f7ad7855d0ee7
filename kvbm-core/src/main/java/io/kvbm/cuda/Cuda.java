package io.kvbm.cuda;

/** CUDA as this machine has it: a driver with its GPUs, or the reason why there is none. */
public sealed interface Cuda permits CudaLibrary, Cuda.Absent {

    /** Looks for NVIDIA's driver and loads what calls it. A process loads it once. */
    static Cuda find() {
        return CudaLibrary.load();
    }

    /** One line that says what there is. */
    String description();

    /**
     * There is none that can be used. Blocks are kept in host memory then.
     *
     * @param reason what was looked for and did not work, and what to do
     */
    record Absent(String reason) implements Cuda {

        @Override
        public String description() {
            return "No GPU is used: " + reason;
        }
    }
}
