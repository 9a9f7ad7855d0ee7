package io.kvbm.nixl;

import java.util.Map;

import com.sun.jna.FunctionMapper;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/**
 * The functions of NIXL's C API that are used here, bound to a library when the object is made. Pointers and sizes are
 * longs, and what a function hands out is written to an address that is given, so that no call converts or allocates.
 */
final class NixlApi {

    private static final int RTLD_LAZY = 1;
    private static final String PREFIX = "nixl_capi_";

    /** Kept here, as JNA unloads a library that nobody refers to. */
    private final NativeLibrary library;

    /**
     * Loads the library. Its own symbols stay its own (JNA's default would offer them to every library that is loaded
     * later), as its copies of widespread libraries are not to meet those of other native code.
     *
     * @param file its path, or its name where the system is to look for it
     * @throws UnsatisfiedLinkError where it cannot be loaded, or is of a version without one of the functions
     */
    NixlApi(String file) {
        FunctionMapper names = (_, method) -> nameOf(method.getName());
        this.library = NativeLibrary.getInstance(file,
                Map.of(Library.OPTION_OPEN_FLAGS, RTLD_LAZY, Library.OPTION_FUNCTION_MAPPER, names));
        Native.register(NixlApi.class, library);
    }

    /** The name in C of a function that is named here. */
    private static String nameOf(String method) {
        StringBuilder name = new StringBuilder(PREFIX);
        for (int i = 0; i < method.length(); i++) {
            char c = method.charAt(i);
            if (Character.isUpperCase(c)) {
                name.append('_');
            }
            name.append(Character.toLowerCase(c));
        }
        return name.toString();
    }

    native byte isStub();

    native int createConfiguredAgent(long name, long config, long agent);

    native int destroyAgent(long agent);

    native int getAvailablePlugins(long agent, long list);

    native int stringListSize(long list, long size);

    native int stringListGet(long list, long index, long string);

    native int destroyStringList(long list);

    native int getPluginParams(long agent, long plugin, long memories, long parameters);

    native int destroyMemList(long memories);

    native int paramsAdd(long parameters, long key, long value);

    native int paramsCreateIterator(long parameters, long iterator);

    native int paramsIteratorNext(long iterator, long key, long value, long hasNext);

    native int paramsDestroyIterator(long iterator);

    native int destroyParams(long parameters);

    native int createBackend(long agent, long plugin, long parameters, long backend);

    native int destroyBackend(long backend);

    native int createOptArgs(long options);

    native int optArgsAddBackend(long options, long backend);

    native int optArgsSetNotifMsg(long options, long data, long size);

    native int optArgsSetHasNotif(long options, byte hasNotification);

    native int destroyOptArgs(long options);

    native int createRegDlist(int memoryKind, long list);

    native int regDlistAddDesc(long list, long address, long size, long device, long metadata, long metadataSize);

    native int destroyRegDlist(long list);

    native int registerMem(long agent, long list, long options);

    native int deregisterMem(long agent, long list, long options);

    native int getLocalMd(long agent, long data, long size);

    native int loadRemoteMd(long agent, long data, long size, long name);

    native int invalidateRemoteMd(long agent, long name);

    native int agentMakeConnection(long agent, long name, long options);

    native int createXferDlist(int memoryKind, long list);

    native int xferDlistAddDesc(long list, long address, long size, long device);

    native int destroyXferDlist(long list);

    native int prepXferDlist(long agent, long name, long list, long prepared, long options);

    native int releaseXferDlistHandle(long agent, long prepared);

    native int makeXferReq(long agent, int operation, long local, long localIndices, long localCount, long remote,
            long remoteIndices, long remoteCount, long request, long options);

    native int createXferReq(long agent, int operation, long local, long remote, long name, long request, long options);

    native int postXferReq(long agent, long request, long options);

    native int getXferStatus(long agent, long request);

    native int releaseXferReq(long agent, long request);

    native int destroyXferReq(long request);

    native int createNotifMap(long map);

    native int getNotifs(long agent, long map, long options);

    native int notifMapSize(long map, long size);

    native int notifMapGetAgentAt(long map, long index, long name);

    native int notifMapGetNotifsSize(long map, long name, long size);

    native int notifMapGetNotif(long map, long name, long index, long data, long size);

    native int notifMapClear(long map);

    native int destroyNotifMap(long map);

    native int genNotif(long agent, long name, long data, long size, long options);
}
