package io.kvbm.spring.boot;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;

import io.kvbm.spring.boot.discovery.KvbmCluster;

/** What an application without a cluster has of it. */
public final class NoCluster {

    /** Provides nothing. */
    public static final ObjectProvider<KvbmCluster> PROVIDER = new DefaultListableBeanFactory()
            .getBeanProvider(KvbmCluster.class);

    private NoCluster() {}
}
