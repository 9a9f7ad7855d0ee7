package io.kvbm.spring.boot.actuate;

import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.boot.actuate.info.Info;
import org.springframework.boot.actuate.info.InfoContributor;

import io.kvbm.KvBlockManager;
import io.kvbm.pool.BlockPool;

/** What the cache is made of, which does not change while it runs. */
final class KvbmInfoContributor implements InfoContributor {

    private final KvBlockManager manager;

    KvbmInfoContributor(KvBlockManager manager) {
        this.manager = manager;
    }

    @Override
    public void contribute(Info.Builder builder) {
        Map<String, Object> cache = new LinkedHashMap<>();
        cache.put("workerId", Long.toUnsignedString(manager.workerId()));
        cache.put("fingerprint", manager.fingerprint().toString());
        cache.put("pageSize", manager.model().pageSize());
        for (BlockPool pool : manager.pools()) {
            cache.put(pool.blocks().level().tier(), Map.of("blocks", pool.totalBlocks(), "blockBytes",
                    pool.blocks().layout().bytesPerBlock()));
        }
        builder.withDetail("kvbm", cache);
    }
}
