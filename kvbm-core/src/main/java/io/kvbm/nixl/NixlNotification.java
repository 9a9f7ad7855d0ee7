package io.kvbm.nixl;

import java.util.ArrayList;
import java.util.List;

/**
 * What another agent has told this one, alone or at the end of a transfer.
 *
 * @param agent the name of the other agent
 * @param message as it was sent
 */
@SuppressWarnings("ArrayRecordComponent") // a message is handed on, never compared
public record NixlNotification(String agent, byte[] message) {

    /** Empties a map of notifications. */
    static List<NixlNotification> takeAll(NixlApi api, long map, Out out) {
        api.notifMapSize(map, out.first());
        long agents = out.value();
        if (agents == 0) {
            return List.of();
        }
        List<NixlNotification> taken = new ArrayList<>();
        for (long agent = 0; agent < agents; agent++) {
            api.notifMapGetAgentAt(map, agent, out.first());
            long name = out.value();
            api.notifMapGetNotifsSize(map, name, out.first());
            long messages = out.value();
            for (long i = 0; i < messages; i++) {
                api.notifMapGetNotif(map, name, i, out.first(), out.second());
                taken.add(new NixlNotification(ForeignBytes.string(name),
                        ForeignBytes.copy(out.value(), out.secondValue())));
            }
        }
        api.notifMapClear(map);
        return taken;
    }
}
