package io.kvbm.transfer;

import java.util.List;

import io.kvbm.block.Pin;

/**
 * A checked request whose blocks are pinned: what an engine works on.
 *
 * @param sources where the bytes come from
 * @param destinations where they go to, in the same order
 * @param firstLayer the first layer that is moved
 * @param endLayer the layer after the last one that is moved
 * @param strategy how the bytes get across
 * @param hold what keeps the blocks; closed when the engine returns or throws, unless it has shared it
 */
public record TransferPlan(List<Pin> sources, List<Pin> destinations, int firstLayer, int endLayer,
        TransferStrategy strategy, TransferHold hold) {

    /** Whether all layers are moved. */
    public boolean allLayers() {
        return firstLayer == 0 && endLayer == sources.getFirst().layout().numLayers();
    }

    /** The bytes that are moved. */
    public long bytes() {
        return sources.getFirst().layout().layerSize() * (endLayer - firstLayer) * sources.size();
    }
}
