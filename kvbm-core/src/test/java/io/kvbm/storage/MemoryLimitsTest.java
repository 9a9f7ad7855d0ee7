package io.kvbm.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.error.StorageException;
import io.kvbm.testing.ProcessTable;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class MemoryLimitsTest {

    @TempDir
    Path root;

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private void assertRoom(long room, String where, String remedy) {
        MemoryLimits limits = new MemoryLimits(root);
        limits.promise(room).close();
        assertThatThrownBy(() -> limits.promise(room + 1)).hasMessageContaining((room + 1) + " bytes")
                .hasMessageContaining(room + " ")
                .hasMessageContaining(where)
                .hasMessageContaining(remedy)
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.ALLOCATION_FAILED));
        limits.promise(room).close();
    }

    @Test
    void withoutAnyLimitEverythingMayBePromised() {
        new MemoryLimits(root).promise(Long.MAX_VALUE).close();
    }

    @Test
    void theMachine() throws IOException {
        write("proc/meminfo", "MemTotal:       24000 kB\nMemFree: 1 kB\nMemAvailable:    1000 kB\n");
        assertRoom(1_024_000, "on this machine", "configure fewer blocks");
    }

    @Test
    void aControlGroupOfVersion2() throws IOException {
        write("proc/self/cgroup", "0::/a/b\n");
        write("sys/fs/cgroup/a/b/memory.max", "1000\n");
        write("sys/fs/cgroup/a/b/memory.current", "700\n");
        write("sys/fs/cgroup/a/b/memory.stat", "anon 5\ninactive_file 30\nactive_file 20\n");
        assertRoom(350, "control group " + root.resolve("sys/fs/cgroup/a/b"), "container");
    }

    @Test
    void theTightestOfNestedGroupsCounts() throws IOException {
        write("proc/self/cgroup", "0::/a/b\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/b/memory.current", "700\n");
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/a/memory.current", "900\n");
        assertRoom(100, "sys/fs/cgroup/a;", "raise");
    }

    @Test
    void aContainerThatSeesItsOwnGroupAsTheRoot() throws IOException {
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", "5000\n");
        write("sys/fs/cgroup/memory.current", "1000\n");
        assertRoom(4000, "control group", "raise");
    }

    @Test
    void aGroupPathThatLeavesTheMountIsLookedAtFromTheRoot() throws IOException {
        write("proc/self/cgroup", "0::/../../elsewhere\n");
        write("sys/fs/cgroup/memory.max", "5000\n");
        write("sys/fs/cgroup/memory.current", "1000\n");
        assertRoom(4000, "control group", "raise");
    }

    @Test
    void aControlGroupOfVersion1() throws IOException {
        write("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "10000\n");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n");
        write("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 300\ntotal_active_file 200\n");
        assertRoom(6500, "control group", "raise");
    }

    @Test
    void aNestedControlGroupOfVersion1() throws IOException {
        write("proc/self/cgroup", "5:cpu:/x\n4:memory:/slice/unit\n0::/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n");
        write("sys/fs/cgroup/memory/slice/unit/memory.limit_in_bytes", "10000\n");
        write("sys/fs/cgroup/memory/slice/unit/memory.usage_in_bytes", "4000\n");
        assertRoom(6000, "slice/unit", "raise");
    }

    @Test
    void aGroupThatIsOverItsLimitHasNoRoom() throws IOException {
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", "1000\n");
        write("sys/fs/cgroup/memory.current", "4000\n");
        assertThatThrownBy(() -> new MemoryLimits(root).promise(1)).hasMessageContaining("and 0 are left");
    }

    @Test
    void whatIsPromisedAndNotBackedYetIsNotPromisedAgain() throws IOException {
        write("proc/meminfo", "MemAvailable:    1 kB\n");
        MemoryLimits limits = new MemoryLimits(root);
        MemoryLimits.Promise first = limits.promise(1000);
        assertThatThrownBy(() -> limits.promise(25)).hasMessageContaining("25 bytes").hasMessageContaining("24 are");
        first.kept(500);
        MemoryLimits.Promise second = limits.promise(500);
        second.close();
        first.close();
        limits.promise(1024).close();
    }

    @Test
    void theAllocatorAsksBeforeItAllocates() throws IOException {
        write("proc/meminfo", "MemAvailable:    1 kB\n");
        HostAllocator allocator = HostAllocator.builder()
                .name("kvbm-limited")
                .limits(new MemoryLimits(root))
                .backgroundFrom(1)
                .build();
        assertThatThrownBy(() -> allocator.allocate(1025)).hasMessageContaining("1025 bytes");
        for (int i = 0; i < 3; i++) {
            try (HostStorage storage = allocator.allocate(1024)) {
                storage.reserved().toCompletableFuture().join();
                allocator.allocate(1024).close();
            }
        }
        assertThat(ProcessTable.descriptors("kvbm-limited")).isZero();
    }

    @Test
    void whatTheSystemRefusedIsPromisedNoMore() throws IOException {
        write("proc/meminfo", "MemAvailable:    " + (3L << 49) + " kB\n");
        for (boolean shared : new boolean[]{true, false}) {
            HostAllocator allocator = HostAllocator.builder().shared(shared).limits(new MemoryLimits(root)).build();
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> allocator.allocate(1L << 60)).hasMessageContaining("JVM refused");
            }
        }
    }
}
