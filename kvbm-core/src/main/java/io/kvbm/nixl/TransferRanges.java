package io.kvbm.nixl;

import java.util.Arrays;

import io.kvbm.error.NixlException;

/** Ranges of host memory, local or remote, in the order in which a request names them by index. */
public final class TransferRanges {

    private static final int MAX_RANGES = 1 << 24;

    private final long[] addresses;
    private final long[] lengths;

    private TransferRanges(long[] addresses, long[] lengths) {
        this.addresses = addresses;
        this.lengths = lengths;
        if (addresses.length == 0 || addresses.length > MAX_RANGES || addresses.length != lengths.length) {
            throw invalid(addresses.length + " addresses and " + lengths.length + " lengths are given; give 1 to "
                    + MAX_RANGES + " of both");
        }
        for (int i = 0; i < addresses.length; i++) {
            requireRange(addresses[i], lengths[i]);
        }
    }

    /** Ranges that start at these addresses and have these lengths. */
    public static TransferRanges of(long[] addresses, long[] lengths) {
        return new TransferRanges(addresses.clone(), lengths.clone());
    }

    /** One range. */
    public static TransferRanges of(long address, long length) {
        return new TransferRanges(new long[]{address}, new long[]{length});
    }

    /** Ranges of one length, the starts of which are {@code stride} bytes apart. */
    public static TransferRanges evenly(long address, long length, long stride, int count) {
        long[] addresses = new long[Math.max(count, 0)];
        long[] lengths = new long[addresses.length];
        Arrays.setAll(addresses, i -> address + i * stride);
        Arrays.fill(lengths, length);
        return new TransferRanges(addresses, lengths);
    }

    static void requireRange(long address, long length) {
        if (address == 0 || length <= 0 || Long.compareUnsigned(address, -length) > 0) {
            throw invalid(length + " bytes from address 0x" + Long.toHexString(address)
                    + " on are no memory; give an address and at least one byte");
        }
    }

    private static NixlException invalid(String message) {
        return new NixlException(NixlException.Kind.INVALID_ARGUMENT, "nixl_capi_xfer_dlist_add_desc", null, message);
    }

    /** How many there are. */
    public int size() {
        return addresses.length;
    }

    /** Where one starts, unsigned. */
    public long address(int index) {
        return addresses[index];
    }

    /** How many bytes one has. */
    public long length(int index) {
        return lengths[index];
    }
}
