package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

import io.kvbm.testing.Required;

/**
 * The stand-in for libcuda that tests run on where there is no GPU: breaks it on demand, and tells what the program
 * under test has done to it. There is one per process, as there is one driver.
 */
@SuppressWarnings("restricted")
public final class StandIn {

    private static final Linker LINKER = Linker.nativeLinker();
    private static final FunctionDescriptor ASK = FunctionDescriptor.of(ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor FAULT = FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT);

    private final SymbolLookup library;
    private final MethodHandle failCall;
    private final MethodHandle failQuery;
    private final MethodHandle failOperation;
    private final MethodHandle delay;
    private final MethodHandle hold;
    private final MethodHandle calls;
    private final MethodHandle operations;
    private final MethodHandle live;
    private final MethodHandle violations;
    private final MethodHandle violation;
    private final MethodHandle reset;

    private StandIn(SymbolLookup library) {
        this.library = library;
        this.failCall = bind("fail_call", FAULT);
        this.failQuery = bind("fail_query", FAULT);
        this.failOperation = bind("fail_operation", FAULT);
        this.delay = bind("delay", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
        this.hold = bind("hold", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
        this.calls = bind("calls", ASK);
        this.operations = bind("operations", ASK);
        this.live = bind("live", ASK);
        this.violations = bind("violations", ASK);
        this.violation = bind("violation", FunctionDescriptor.of(ValueLayout.ADDRESS));
        this.reset = bind("reset", FunctionDescriptor.ofVoid());
    }

    private MethodHandle bind(String name, FunctionDescriptor signature) {
        return LINKER.downcallHandle(library.findOrThrow("kvbm_stand_in_" + name), signature);
    }

    /** The one of this process; empty where libcuda is the real one, or absent. */
    public static Optional<StandIn> find() {
        try {
            SymbolLookup library = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
            return library.find("kvbm_stand_in_live").map(ignored -> new StandIn(library));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Whether tests that need it run: where it is, and where {@code KVBM_REQUIRE} says that it has to be. */
    public static boolean isThere() {
        return Required.names("cuda-stand-in") || find().isPresent();
    }

    /** The one of this process, for a test that has found that it runs. */
    public static StandIn get() {
        return find().orElseThrow(() -> new AssertionError(
                "KVBM_REQUIRE names cuda-stand-in, but libcuda.so.1 is not it: the build makes it where there is a cc"));
    }

    /**
     * Lets a call of the driver fail, and do nothing.
     *
     * @param n which one: 1 is the next; 0 for none after all
     */
    public void failCall(long n, int error) {
        run(failCall, n, error);
    }

    /**
     * Lets a query of a stream or of an event fail.
     *
     * @param n which one: 1 is the next; 0 for none after all
     */
    public void failQuery(long n, int error) {
        run(failQuery, n, error);
    }

    /**
     * Lets an operation fail in its stream, which breaks its context.
     *
     * @param n which one: 1 is the next that a stream executes; 0 for none after all
     */
    public void failOperation(long n, int error) {
        run(failOperation, n, error);
    }

    /** Lets every operation take at least so long. */
    public void delay(long micros) {
        run(delay, micros);
    }

    /** Streams stop before their next operation, as those of a GPU that hangs. */
    public void hold() {
        run(hold, 1);
    }

    /** They go on. */
    public void letGo() {
        run(hold, 0);
    }

    /** How often the driver has been called; not counted are queries of streams and events, and names of errors. */
    public long calls() {
        return (long) run(calls);
    }

    /** How many copies, fills and launches streams have begun to execute. */
    public long operations() {
        return (long) run(operations);
    }

    /** How many things are there that somebody has to give back: allocations, registrations, streams, contexts... */
    public long live() {
        return (long) run(live);
    }

    /** How often a rule has been broken that the real driver may let pass. */
    long violations() {
        return (long) run(violations);
    }

    /** What the last violation was; empty if there has been none. */
    public String violation() {
        return ((MemorySegment) run(violation)).reinterpret(Long.MAX_VALUE).getString(0);
    }

    /** Ends all that has been asked for, heals broken contexts and forgets violations; what is live stays. */
    public void reset() {
        run(reset);
    }

    private static Object run(MethodHandle control, Object... arguments) {
        try {
            return control.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
