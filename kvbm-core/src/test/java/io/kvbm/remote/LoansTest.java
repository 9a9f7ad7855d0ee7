package io.kvbm.remote;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.SlotBoardView;
import io.kvbm.storage.SharedMapping;

import static org.assertj.core.api.Assertions.assertThat;

/** What is lent, as the borrower sees it on the owner's side table. */
@EnabledOnOs(OS.LINUX)
class LoansTest {

    private final SharedPool owner = SharedPool.of(1, 1, 4, 4);
    private final Loans loans = new Loans(owner.board);
    private final SharedMapping mapping = SharedMapping.open(ProcessHandle.current().pid(), owner.board.descriptor());
    private final SlotBoardView board = SlotBoardView.of(mapping, 1, 1, 4);

    @AfterEach
    void close() {
        mapping.close();
        owner.close();
    }

    private long lend(int slot) {
        return loans.lend(new int[]{slot})[0];
    }

    private void takeBack(int... slots) {
        loans.takeBack(slots);
    }

    @Test
    void eachSlotIsLentUnderANumberOfItsOwnUntilItIsTakenBack() {
        long[] numbers = loans.lend(new int[]{2, 0});
        assertThat(numbers).doesNotContain(0).doesNotHaveDuplicates();
        assertThat(board.isLent(2, numbers[0])).isTrue();
        assertThat(board.isLent(0, numbers[1])).isTrue();
        assertThat(board.isLent(2, numbers[1])).isFalse();
        takeBack(2);
        assertThat(board.isLent(2, numbers[0])).isFalse();
        assertThat(board.isLent(0, numbers[1])).isTrue();
        assertThat(loans.size()).isOne();
    }

    @Test
    void aSlotThatIsLentTwiceKeepsItsNumberUntilItIsTakenBackTwice() {
        long number = lend(1);
        assertThat(loans.lend(new int[]{3, 1})[1]).isEqualTo(number);
        takeBack(3, 1);
        assertThat(board.isLent(1, number)).isTrue();
        takeBack(1);
        assertThat(board.isLent(1, number)).isFalse();
        assertThat(loans.size()).isZero();
    }

    @Test
    void aSlotThatIsNamedTwiceIsTakenBackTwice() {
        long[] numbers = loans.lend(new int[]{1, 1});
        assertThat(numbers[0]).isEqualTo(numbers[1]);
        takeBack(1, 1);
        assertThat(board.isLent(1, numbers[0])).isFalse();
        assertThat(loans.size()).isZero();
    }

    @Test
    void aNumberNeverComesBack() {
        long first = lend(1);
        takeBack(1);
        long second = lend(1);
        assertThat(second).isNotEqualTo(first);
        assertThat(lend(2)).isNotIn(first, second);
        assertThat(board.isLent(1, first)).isFalse();
        assertThat(board.isLent(1, second)).isTrue();
    }

    @Test
    void whatIsNotLentIsNotTakenFromOthers() {
        long number = lend(1);
        takeBack(0, 2);
        assertThat(board.isLent(1, number)).isTrue();
        assertThat(loans.size()).isOne();
    }
}
