package io.kvbm.block;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.RandomAccess;

import io.kvbm.error.FirstFailure;

/** The pins on a list of blocks, in the same order, taken and ended in one critical section per run of alike blocks. */
public final class PinList extends AbstractList<Pin> implements RandomAccess, AutoCloseable {

    private final List<List<Pin>> runs = new ArrayList<>(1);
    private final List<BlockOwner> owners = new ArrayList<>(1);
    private List<Pin> pins = List.of();

    private PinList() {}

    /**
     * Pins every block of a list. The list of one call of a pool is pinned without making its handles.
     *
     * @throws io.kvbm.error.ClosedException where a handle is closed; nothing stays pinned
     */
    public static PinList of(List<? extends BlockHandle> blocks) {
        PinList list = new PinList();
        if (blocks.isEmpty()) {
            return list;
        }
        try {
            if (blocks instanceof BlockList<?> whole) {
                list.add(whole.owner, whole.owner.pinAll(whole));
            } else {
                list.addRuns(blocks.toArray(BlockHandle[]::new));
            }
        } catch (RuntimeException | Error e) {
            list.close();
            throw e;
        }
        list.pins = list.runs.size() == 1 ? list.runs.getFirst() : list.runs.stream().flatMap(List::stream).toList();
        return list;
    }

    private void addRuns(BlockHandle[] handles) {
        for (int from = 0; from < handles.length;) {
            BlockOwner owner = handles[from].owner();
            int to = from + 1;
            while (to < handles.length && owner.owns(handles[to]) && alike(handles[from], handles[to])) {
                to++;
            }
            add(owner, owner.pinAll(handles, from, to));
            from = to;
        }
    }

    private static boolean alike(BlockHandle a, BlockHandle b) {
        return a instanceof MutableBlock == b instanceof MutableBlock;
    }

    private void add(BlockOwner owner, List<Pin> run) {
        owners.add(owner);
        runs.add(run);
    }

    @Override
    public Pin get(int index) {
        return pins.get(index);
    }

    @Override
    public int size() {
        return pins.size();
    }

    /** Ends all pins; the first failure is thrown with the others attached. Further calls do nothing. */
    @Override
    public void close() {
        FirstFailure failure = new FirstFailure();
        for (int i = 0; i < runs.size(); i++) {
            BlockOwner owner = owners.get(i);
            List<Pin> run = runs.get(i);
            failure.attempt(() -> owner.unpinAll(run));
        }
        failure.rethrow();
    }
}
