package io.kvbm.block;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.RandomAccess;

/** The pins on a list of blocks, in the same order, taken and ended in one critical section per pool. */
public final class PinList extends AbstractList<Pin> implements RandomAccess, AutoCloseable {

    private final List<List<Pin>> runs = new ArrayList<>(1);
    private final List<BlockOwner> owners = new ArrayList<>(1);
    private final Pin[] pins;

    private PinList(int size) {
        this.pins = new Pin[size];
    }

    /**
     * Pins every block of a list.
     *
     * @throws io.kvbm.error.ClosedException where a handle is closed; nothing stays pinned
     */
    public static PinList of(List<? extends BlockHandle> blocks) {
        BlockHandle[] handles = blocks.toArray(BlockHandle[]::new);
        PinList list = new PinList(handles.length);
        try {
            for (int from = 0; from < handles.length;) {
                BlockOwner owner = handles[from].owner();
                int to = from + 1;
                while (to < handles.length && owner.owns(handles[to])) {
                    to++;
                }
                list.add(owner, owner.pinAll(handles, from, to), from);
                from = to;
            }
        } catch (RuntimeException | Error e) {
            list.close();
            throw e;
        }
        return list;
    }

    private void add(BlockOwner owner, List<Pin> run, int from) {
        runs.add(run);
        owners.add(owner);
        for (int i = 0; i < run.size(); i++) {
            pins[from + i] = run.get(i);
        }
    }

    @Override
    public Pin get(int index) {
        return pins[index];
    }

    @Override
    public int size() {
        return pins.length;
    }

    /** Ends all pins; the first failure is thrown with the others attached. Further calls do nothing. */
    @Override
    public void close() {
        RuntimeException failure = null;
        for (int i = 0; i < runs.size(); i++) {
            try {
                owners.get(i).unpinAll(runs.get(i));
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
