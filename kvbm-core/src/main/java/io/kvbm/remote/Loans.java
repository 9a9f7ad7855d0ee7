package io.kvbm.remote;

import java.util.HashMap;
import java.util.Map;

import io.kvbm.block.SlotBoard;

/**
 * Which slots of one block set are lent to other workers, which read them meanwhile. A slot that is lent twice keeps its
 * number until it is taken back twice; a number never comes back. Safe for use by several threads.
 */
final class Loans {

    private final SlotBoard board;
    private final Map<Integer, Loan> loans = new HashMap<>();
    private long next = 1;

    Loans(SlotBoard board) {
        this.board = board;
    }

    private record Loan(long number, int borrowers) {}

    /** Lends slots that the caller holds, and says under which numbers. */
    synchronized long[] lend(int[] slots) {
        long[] numbers = new long[slots.length];
        for (int i = 0; i < slots.length; i++) {
            Loan loan = loans.merge(slots[i], new Loan(next, 1),
                    (present, _) -> new Loan(present.number(), present.borrowers() + 1));
            if (loan.borrowers() == 1) {
                board.lend(slots[i], next++);
            }
            numbers[i] = loan.number();
        }
        return numbers;
    }

    /** Takes slots back: a read that is not over finds out. */
    synchronized void takeBack(int[] slots) {
        for (int slot : slots) {
            Loan left = loans.computeIfPresent(slot, (_, loan) -> loan.borrowers() == 1 ? null
                    : new Loan(loan.number(), loan.borrowers() - 1));
            if (left == null) {
                board.takeBack(slot);
            }
        }
    }

    synchronized int size() {
        return loans.size();
    }
}
