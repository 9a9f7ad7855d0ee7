package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;

import static org.assertj.core.api.Assertions.assertThat;

/** What is mapped of the memory of another worker, and for how long. */
@EnabledOnOs(OS.LINUX)
class PeerMemoryTest {

    private static final int LAYERS = 3;
    private static final LayoutConfig CONFIG = LayoutConfig.builder()
            .numBlocks(4)
            .numLayers(LAYERS)
            .pageSize(SharedPool.PAGE)
            .innerDim(8)
            .build();

    /** The memory of a worker whose layers lie in files of their own. */
    private final SharedPool owner = SharedPool.of(7, 1, CONFIG, LayoutType.LAYER_SEPARATE);
    private final Set<String> files = Mappings.files(owner);
    private final Blockset told = owner.blockset();
    private final ExportedLevel level = told.levels().getFirst();
    private final SharedMemoryAddress address = Optional.ofNullable(level.shared()).orElseThrow();

    @AfterEach
    void nothingStaysMapped() {
        assertThat(Mappings.readers(files)).isZero();
        owner.close();
    }

    private static Optional<PeerMemory> open(Blockset blockset) {
        return PeerMemory.sameHost(ChecksumMode.OFF).open(blockset);
    }

    private ExportedLevel shared(int set, SharedMemoryAddress shared) {
        return new ExportedLevel(set, level.level(), level.layoutType(), level.layout(), level.memory(), shared);
    }

    private static Blockset exported(ExportedLevel... levels) {
        return new Blockset(7, 1, SharedPool.FINGERPRINT, List.of(levels), new byte[0]);
    }

    private SharedMemoryAddress at(long pid, long nonceLow, int board, List<Integer> memory) {
        return new SharedMemoryAddress(pid, address.nonceHigh(), nonceLow, board, memory);
    }

    @Test
    void theSideTableAndEveryFileAreMappedUntilTheMemoryIsClosed() {
        PeerMemory memory = open(told).orElseThrow();
        assertThat(files).hasSize(1 + LAYERS);
        assertThat(Mappings.readers(files)).isEqualTo(1 + LAYERS);
        assertThat(memory.level(SharedPool.SET)).isPresent();
        assertThat(memory.level(SharedPool.SET + 1)).isEmpty();
        memory.close();
        assertThat(Mappings.readers(files)).isZero();
        memory.close();
    }

    @Test
    void memoryThatIsClosedIsNotRead() {
        PeerMemory memory = open(told).orElseThrow();
        MappedLevel mapped = memory.level(SharedPool.SET).orElseThrow();
        memory.close();
        Refused.with(Kind.TRANSPORT, () -> mapped.read(new Wanted.Anything(new int[1]), List.of(), () -> true));
    }

    @Test
    void aWorkerThatSharesNothingIsNotMapped() {
        assertThat(open(Exports.of(Exports.level(1)))).isEmpty();
        assertThat(open(Exports.of())).isEmpty();
    }

    @Test
    void anAddressThatLeadsToAnotherSideTableOrNoneIsOfAnotherHost() {
        List<Integer> memory = address.memoryDescriptors();
        for (SharedMemoryAddress elsewhere : List.of(
                at(address.pid(), address.nonceLow() + 1, address.boardDescriptor(), memory),
                at(Integer.MAX_VALUE, address.nonceLow(), address.boardDescriptor(), memory),
                at(address.pid(), address.nonceLow(), 1 << 20, memory))) {
            assertThat(open(exported(shared(SharedPool.SET, elsewhere)))).isEmpty();
        }
    }

    @Test
    void whereOneFileIsWrongNothingStaysMapped() {
        List<Integer> swapped = new ArrayList<>(address.memoryDescriptors());
        swapped.add(swapped.removeFirst());
        List<Integer> missing = new ArrayList<>(address.memoryDescriptors());
        missing.set(LAYERS - 1, 1 << 20);
        for (List<Integer> memory : List.of(swapped, missing)) {
            SharedMemoryAddress wrong = at(address.pid(), address.nonceLow(), address.boardDescriptor(), memory);
            Refused.with(Kind.TRANSPORT, () -> open(exported(shared(SharedPool.SET, wrong))));
            assertThat(Mappings.readers(files)).isZero();
        }
    }

    @Test
    void whereASecondBlockSetIsRefusedTheFirstDoesNotStayMapped() {
        try (SharedPool other = SharedPool.of(8, 1, 4, 16)) {
            Set<String> theirs = Mappings.files(other);
            ExportedLevel foreign = other.blockset().levels().getFirst();
            Blockset both = exported(level, new ExportedLevel(SharedPool.SET + 1, CacheLevel.G3,
                    foreign.layoutType(), foreign.layout(), foreign.memory(), foreign.shared()));
            Refused.with(Kind.TRANSPORT, () -> open(both));
            assertThat(Mappings.readers(files)).isZero();
            assertThat(Mappings.readers(theirs)).isZero();
        }
    }

    @Test
    void blockSetsThatAreFoundAreMappedThoughOthersAreNot() {
        ExportedLevel far = Exports.level(SharedPool.SET + 1);
        try (PeerMemory memory = open(exported(level, far)).orElseThrow()) {
            assertThat(memory.level(SharedPool.SET)).isPresent();
            assertThat(memory.level(far.blockSet())).isEmpty();
        }
    }
}
