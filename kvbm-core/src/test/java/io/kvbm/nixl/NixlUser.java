package io.kvbm.nixl;

import java.nio.file.Path;

/** A main class that moves bytes between two agents where NIXL is at the path it is given, and ends as it comes. */
final class NixlUser {

    private NixlUser() {}

    public static void main(String[] arguments) {
        switch (Nixl.at(Path.of(arguments[0]))) {
            case Nixl.Absent absent -> System.out.println(absent.description());
            case NixlLibrary library -> move(library);
        }
    }

    private static void move(NixlLibrary library) {
        TwoAgents agents = new TwoAgents(library, false);
        NixlRequest request = agents.backend.request(NixlOperation.GET, agents.nearPages(), agents.remote,
                agents.farPages());
        request.post();
        agents.finish(request);
        System.out.println(agents.same(7, 7) ? "moved" : "not moved");
    }
}
