package io.kvbm.spring.boot.autoconfigure;

import java.util.List;
import java.util.Locale;

import io.kvbm.KvBlockManager;
import io.kvbm.layout.BlockLayout;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.MemoryRange;
import io.kvbm.storage.StorageType;

/** The paragraph that tells of the start: what was found, what is missing, and what that means. */
record StartupReport(KvBlockManager manager, List<StartupNote> notes) {

    private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB"};

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("KV cache of worker ")
                .append(Long.toUnsignedString(manager.workerId()))
                .append(", of which content has the fingerprint ")
                .append(manager.fingerprint().toString(), 0, 16)
                .append(" and blocks are identified by ")
                .append(manager.model().identityKind())
                .append('.');
        for (BlockPool pool : manager.pools()) {
            text.append(' ').append(level(pool));
        }
        if (manager.device().isEmpty()) {
            text.append(" There is no device level: sequences are kept in host memory.");
        }
        if (notes.isEmpty() && manager.peering().isEmpty()) {
            text.append(" Blocks are not shared with other instances.");
        }
        notes.forEach(note -> text.append(' ').append(note.text()));
        return text.toString();
    }

    private static String level(BlockPool pool) {
        BlockLayout layout = pool.blocks().layout();
        long all = pool.blocks().ranges().stream().mapToLong(MemoryRange::size).sum();
        return "Level " + pool.blocks().level().tier() + ": " + pool.totalBlocks() + " blocks of " + layout.pageSize()
                + " tokens and " + layout.bytesPerBlock() + " bytes, " + size(all) + " in all, "
                + place(pool.blocks().ranges().getFirst()) + '.';
    }

    private static String place(MemoryRange range) {
        if (range.type() instanceof StorageType.Device gpu) {
            return "on GPU " + gpu.ordinal();
        }
        String pages = switch (range.pages()) {
            case NONE -> "ordinary pages";
            case TRANSPARENT -> "huge pages where the kernel has some";
            case RESERVED -> "reserved huge pages";
        };
        return "in " + pages + (range.shared() ? ", open to other processes of this user"
                : ", private to this process, so that no other one can read it directly");
    }

    /** In the largest unit of which there is one. */
    private static String size(long bytes) {
        int unit = 0;
        double number = bytes;
        while (number >= 1024 && unit < UNITS.length - 1) {
            number /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, number == Math.rint(number) ? "%.0f %s" : "%.1f %s", number, UNITS[unit]);
    }
}
