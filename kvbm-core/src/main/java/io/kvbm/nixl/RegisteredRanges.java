package io.kvbm.nixl;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.NixlException;

/** The registered memory of one backend by address. Used under the lock of the agent. */
final class RegisteredRanges {

    private final NavigableMap<Long, Registered> byStart = new TreeMap<>(Long::compareUnsigned);

    /** Refuses memory of which a part is registered: NIXL would take it, and find the wrong one of the two later. */
    void requireFree(String backend, long address, long length) {
        Registered before = atOrBefore(address);
        Map.Entry<Long, Registered> after = byStart.higherEntry(address);
        if (before != null && before.reaches(address)) {
            throw taken(backend, address, length, before);
        }
        if (after != null && after.getKey() - address < length) {
            throw taken(backend, address, length, after.getValue());
        }
    }

    private static NixlException taken(String backend, long address, long length, Registered other) {
        return new NixlException(NixlException.Kind.ALREADY_REGISTERED, "nixl_capi_register_mem", null,
                length + " bytes from address 0x" + Long.toHexString(address) + " on meet " + other.handle
                        + ", which is registered with backend " + backend + " already; register memory once");
    }

    void add(long address, long length, NativeHandle handle) {
        byStart.put(address, new Registered(address, length, handle));
    }

    void remove(long address) {
        byStart.remove(address);
    }

    /**
     * The registrations in which ranges lie, each once.
     *
     * @throws NixlException {@code NOT_REGISTERED} where one does not lie within one registration
     */
    Collection<NativeHandle> covering(String backend, TransferRanges ranges) {
        Collection<NativeHandle> covering = new LinkedHashSet<>();
        Registered last = null;
        for (int i = 0; i < ranges.size(); i++) {
            long address = ranges.address(i);
            long length = ranges.length(i);
            if (last == null || !last.covers(address, length)) {
                last = atOrBefore(address);
                if (last == null || !last.covers(address, length)) {
                    throw new NixlException(NixlException.Kind.NOT_REGISTERED, "nixl_capi_prep_xfer_dlist", null,
                            "Range " + i + ", " + length + " bytes from address 0x" + Long.toHexString(address)
                                    + " on, is not within one registration of backend " + backend
                                    + "; register the memory first");
                }
                covering.add(last.handle);
            }
        }
        return covering;
    }

    private @Nullable Registered atOrBefore(long address) {
        Map.Entry<Long, Registered> entry = byStart.floorEntry(address);
        return entry == null ? null : entry.getValue();
    }

    private record Registered(long start, long length, NativeHandle handle) {

        boolean reaches(long address) {
            return address - start < length && address - start >= 0;
        }

        boolean covers(long address, long bytes) {
            return reaches(address) && bytes <= length - (address - start);
        }
    }
}
