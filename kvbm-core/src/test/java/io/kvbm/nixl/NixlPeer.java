package io.kvbm.nixl;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Base64;

import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;

/**
 * An agent in a process of its own: says on standard output where its memory is and what its metadata are, and does its
 * part of the transfers of others until it is killed or whoever started it is gone.
 */
final class NixlPeer {

    static final int SEED = 7;

    private NixlPeer() {}

    public static void main(String[] arguments) {
        NixlLibrary library = (NixlLibrary) Nixl.at(Path.of(arguments[0]));
        NixlAgent agent = library.createAgent(NixlAgentConfig.of(arguments[1]));
        HostStorage memory = HostAllocator.create().allocate(TwoAgents.SIZE);
        TwoAgents.fill(memory, SEED);
        agent.createBackend("UCX").register(memory.address(), memory.size());
        System.out.println(memory.address() + " " + Base64.getEncoder().encodeToString(agent.metadata()));
        Thread.ofPlatform().daemon().start(NixlPeer::endWithStarter);
        while (true) {
            agent.takeNotifications().forEach(told -> System.out.println(told.agent() + " " + told.message().length));
        }
    }

    private static void endWithStarter() {
        try {
            while (System.in.read() >= 0) {
                // whatever it says
            }
        } catch (IOException e) {
            // it is gone as well
        }
        Runtime.getRuntime().halt(0);
    }
}
