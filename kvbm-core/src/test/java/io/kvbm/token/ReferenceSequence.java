package io.kvbm.token;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A token block sequence in the plainest way: a list of blocks and a partial block, each rule as it is stated. */
final class ReferenceSequence {

    private final int blockSize;
    private final long saltHash;
    final List<TokenBlock> blocks = new ArrayList<>();
    PartialTokenBlock current;

    ReferenceSequence(Tokens tokens, int blockSize, long saltHash) {
        this.blockSize = blockSize;
        this.saltHash = saltHash;
        this.current = new PartialTokenBlock(blockSize, saltHash);
        Tokens rest = tokens;
        while (rest.size() >= blockSize) {
            rest = current.push(rest);
            blocks.add(current.commit());
        }
        current.push(rest);
    }

    Optional<BlockRange> extend(Tokens tokens) {
        int before = blocks.size();
        Tokens rest = tokens;
        while (!rest.isEmpty()) {
            if (current.isFull()) {
                blocks.add(current.commit());
            }
            rest = current.push(rest);
            if (current.isFull() && !rest.isEmpty()) {
                blocks.add(current.commit());
            }
        }
        return blocks.size() > before ? Optional.of(new BlockRange(before, blocks.size())) : Optional.empty();
    }

    int total() {
        return blocks.size() * blockSize + current.size();
    }

    void truncate(int length) {
        if (length >= total()) {
            return;
        }
        int n = total() - length;
        if (n <= current.size()) {
            current.pop(n);
            return;
        }
        int t = n - current.size();
        int affected = (t + blockSize - 1) / blockSize;
        int source = blocks.size() - affected;
        int keep = blockSize - (t - (affected - 1) * blockSize);
        Tokens kept = blocks.get(source).tokens().subList(0, keep);
        blocks.subList(source, blocks.size()).clear();
        current = blocks.isEmpty() ? new PartialTokenBlock(blockSize, saltHash) : blocks.getLast().nextBlock();
        current.push(kept);
    }
}
