package io.kvbm.remote;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.SlotBoardView;
import io.kvbm.storage.SharedMapping;

import static org.assertj.core.api.Assertions.assertThat;

/** Which numbers an address may have is tested beside those of a blockset. */
@EnabledOnOs(OS.LINUX)
class SharedMemoryAddressTest {

    private final SharedPool owner = SharedPool.of(7, 1, 4, 16);
    private final SharedMemoryAddress address = SharedMemoryAddress.of(owner.board);

    @AfterEach
    void close() {
        owner.close();
    }

    @Test
    void theAddressOfABoardLeadsToIt() {
        try (SharedMapping board = SharedMapping.open(address.pid(), address.boardDescriptor())) {
            assertThat(SlotBoardView.isBoard(board, address.nonce())).isTrue();
        }
    }

    @Test
    void theMemoryIsBesideTheBoard() {
        try (SharedMapping memory = SharedMapping.open(address.pid(), address.memoryDescriptors().getFirst())) {
            assertThat(memory.size()).isEqualTo(owner.memory.storages().getFirst().size());
            assertThat(SlotBoardView.isBoard(memory, address.nonce())).isFalse();
        }
        assertThat(address.memoryDescriptors()).hasSize(1);
    }
}
