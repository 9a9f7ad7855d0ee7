package io.kvbm.spring.boot.autoconfigure;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/** An environment variable of NVIDIA's KVBM, with the property that means the same here, or why there is none. */
enum DynamoVariable {

    CPU_CACHE_OVERRIDE_NUM_BLOCKS("kvbm.host.blocks", "Goes before `DYN_KVBM_CPU_CACHE_GB`, unless it is 0."),
    CPU_CACHE_GB("kvbm.host.size", "In units of 10^9 bytes, of each instance."),
    MAX_TRANSFER_BATCH_SIZE("kvbm.tier.offload-batch-blocks", "Goes before `DYN_KVBM_TRANSFER_BATCH_SIZE`."),
    TRANSFER_BATCH_SIZE("kvbm.tier.offload-batch-blocks", "The same by its other name."),

    MAX_CONCURRENT_TRANSFERS(Loss.SOME,
            "One thread copies blocks down; set `kvbm.tier.offload-pending-blocks` to what may wait."),
    HOST_OFFLOAD_PREFIX_MIN_PRIORITY(Loss.SOME, "Every registered block is copied down, whatever its priority."),

    DISK_CACHE_GB(Loss.SOME, Why.NO_DISK),
    DISK_CACHE_OVERRIDE_NUM_BLOCKS(Loss.SOME, Why.NO_DISK),
    DISK_CACHE_DIR(Loss.NONE, Why.NO_DISK),
    DISK_ZEROFILL_FALLBACK(Loss.NONE, Why.NO_DISK),
    DISK_DISABLE_O_DIRECT(Loss.NONE, Why.NO_DISK),
    DISK_ALLOCATOR_TYPE(Loss.NONE, Why.NO_DISK),
    DISABLE_DISK_OFFLOAD_FILTER(Loss.NONE, Why.NO_DISK),

    OBJECT_ENABLED(Loss.SOME, Why.NO_OBJECTS),
    OBJECT_BUCKET(Loss.NONE, Why.NO_OBJECTS),
    OBJECT_ENDPOINT(Loss.NONE, Why.NO_OBJECTS),
    OBJECT_REGION(Loss.NONE, Why.NO_OBJECTS),
    OBJECT_ACCESS_KEY(Loss.NONE, Why.NO_OBJECTS),
    OBJECT_SECRET_KEY(Loss.NONE, Why.NO_OBJECTS),
    OBJECT_NUM_BLOCKS(Loss.NONE, Why.NO_OBJECTS),

    G2PB_ADMISSION_POLICY(Loss.SOME, Why.NO_ADMISSION),
    G3PB_ADMISSION_POLICY(Loss.SOME, Why.NO_ADMISSION),

    LEADER_WORKER_INIT_TIMEOUT_SECS(Loss.NONE, Why.NO_LEADER),
    LEADER_ZMQ_HOST(Loss.NONE, Why.NO_LEADER),
    LEADER_ZMQ_PUB_PORT(Loss.NONE, Why.NO_LEADER),
    LEADER_ZMQ_ACK_PORT(Loss.NONE, Why.NO_LEADER),

    NCCL_MLA_MODE(Loss.NONE, Why.NO_NCCL),
    NCCL_MAX_CTAS(Loss.NONE, Why.NO_NCCL),
    NIXL_BACKEND_(Loss.SOME, "Its plugin is the one that `kvbm.nixl.backend` names."),

    ENABLE_NUMA(Loss.SOME, Why.BY_SYSTEM),
    DISABLE_WRITE_COMBINED(Loss.NONE, "Host memory is never write-combined."),

    METRICS(Loss.NONE, "Metrics are there wherever Micrometer is."),
    METRICS_PORT(Loss.SOME, "Set `management.server.port` to the port of `/actuator/prometheus`."),
    CACHE_STATS_MAX_REQUESTS(Loss.NONE, Why.BY_METRICS),
    CACHE_STATS_LOG_INTERVAL_SECS(Loss.NONE, Why.BY_METRICS),
    ENABLE_RECORD(Loss.SOME, "JDK Flight Recorder records what happens, under *KV Cache*."),

    KV_EVENTS_ENABLE_CONSOLIDATOR(Loss.NONE, Why.ONE_LOG),
    KV_EVENTS_CONSOLIDATOR_MODE(Loss.NONE, Why.ONE_LOG),
    TRTLLM_ZMQ_PORT(Loss.NONE, Why.ONE_LOG);

    static final String PREFIX = "DYN_KVBM_";

    /** What says of a size or a switch that there is to be none. */
    private static final Set<String> NOTHING = Set.of("0", "0.0", "false", "no", "off");

    private final @Nullable String property;
    private final Loss loss;
    private final String remark;

    DynamoVariable(Loss loss, String remark) {
        this(null, loss, remark);
    }

    DynamoVariable(String property, String remark) {
        this(property, Loss.SOME, remark);
    }

    DynamoVariable(@Nullable String property, Loss loss, String remark) {
        this.property = property;
        this.loss = loss;
        this.remark = remark;
    }

    /** The one of this name; there is none where nobody knows it. */
    static Optional<DynamoVariable> named(String name) {
        return Arrays.stream(values())
                .filter(variable -> variable.isFamily()
                        ? name.startsWith(variable.text())
                        : name.equals(variable.text()))
                .findFirst();
    }

    /** Its name in the environment, or what the names of a family begin with. */
    String text() {
        return PREFIX + name();
    }

    /** Whether this stands for all names that begin like it. */
    boolean isFamily() {
        return name().endsWith("_");
    }

    /** What it sets, where something here means the same. */
    Optional<String> property() {
        return Optional.ofNullable(property);
    }

    /** How it is read, or why it is not and what to do instead. */
    String remark() {
        return remark;
    }

    /** Whether who sets it to this is without something that was asked for where it is not honoured. */
    boolean isMissed(String text) {
        return loss == Loss.SOME && !isAsIfUnset(text);
    }

    /** Whether this value is as good as none; as a size of memory or of a batch, 0 is not. */
    boolean isAsIfUnset(String text) {
        String value = text.strip().toLowerCase(Locale.ROOT);
        return value.isEmpty() || (property == null && NOTHING.contains(value))
                || (this == CPU_CACHE_OVERRIDE_NUM_BLOCKS && value.equals("0"));
    }

    /** What is lost where one is not honoured: none where it is a detail of something else, or is so here anyway. */
    private enum Loss {
        SOME, NONE
    }

    /** Reasons that several have in common. */
    private static final class Why {

        private static final String NO_DISK = "There is no disk level; set `kvbm.host.size` to what memory there is.";
        private static final String NO_OBJECTS = "There is no level of object storage.";
        private static final String NO_ADMISSION = "Every block is admitted; `kvbm.reuse` says which is dropped first.";
        private static final String NO_LEADER = "There is no leader; instances find each other by `kvbm.cluster`.";
        private static final String NO_NCCL = "Nothing is sent between the GPUs of one engine.";
        private static final String BY_SYSTEM = "The system places host memory; start the application by `numactl`.";
        private static final String BY_METRICS = "The reuse rate is `kvbm.tokens.reused` over `kvbm.tokens.requested`.";
        private static final String ONE_LOG = "There is one event log; subscribe to `KvBlockManager.events()`.";
    }
}
