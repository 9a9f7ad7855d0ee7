"""An agent of NIXL that knows the reference's JSON forms and nothing of kvbm.

    plain_agent.py read  BLOCKSET DESCRIPTORS
    plain_agent.py write BLOCKSET DESCRIPTORS NOTIFICATION

BLOCKSET is a file with what a worker exports, DESCRIPTORS one with a list of its blocks. Each layer of each block is one
line of standard output: the number of the block, the number of the layer and, where it was read, its bytes. What is
written is a pattern. The last line says "done"; whatever goes wrong is a traceback and an exit status.
"""

import json
import os
import sys
import time

# NIXL and UCX write their logs where they like
PROTOCOL = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np
from nixl_cu12 import nixl_agent, nixl_agent_config

DTYPE_SIZES = {
    "FP8": 1, "FP16": 2, "BF16": 2, "FP32": 4,
    "U8": 1, "U16": 2, "U32": 4, "U64": 8, "I8": 1, "I16": 2, "I32": 4, "I64": 8,
}
SECONDS = 20


class Layout:
    """One exported block set, and where its blocks lie at their owner."""

    def __init__(self, serialized):
        (kind, body), = json.loads(bytes(serialized)).items()
        if kind != "FullyContiguous":
            raise ValueError(f"Layout {kind} is not known")
        config = body["config"]
        inner = config["inner"]
        memory, = body["storage_descriptors"]
        if memory["mem_type"] != "Dram":
            raise ValueError(f"Memory of kind {memory['mem_type']} is out of reach")
        self.blocks = inner["num_blocks"]
        self.layers = inner["num_layers"]
        self.region = inner["page_size"] * inner["inner_dim"] * DTYPE_SIZES[inner["dtype"]]
        self.layer_stride = self.region
        self.block_stride = -(-self.layers * self.region // inner["alignment"]) * inner["alignment"]
        self.start = memory["addr"] + body["base_offset"]
        self.device = memory["device_id"]
        stated = config["memory_region_size"], config["layer_stride_in_bytes"], config["block_stride_in_bytes"]
        if stated != (self.region, self.layer_stride, self.block_stride):
            raise ValueError(f"Strides {stated} do not follow from {inner}")
        if self.start % inner["alignment"]:
            raise ValueError(f"The first block lies at {self.start}, not aligned to {inner['alignment']}")

    def address(self, block, layer):
        if not (0 <= block < self.blocks and 0 <= layer < self.layers):
            raise IndexError(f"There is no layer {layer} of block {block}")
        return self.start + block * self.block_stride + layer * self.layer_stride


def pattern(block, layer, size):
    return (np.arange(size) * 7 + block * 131 + layer * 17 + 5) % 251


def move(agent, operation, peer, local, remote, notification):
    request = agent.initialize_xfer(
        operation, agent.get_xfer_descs(local, "DRAM"), agent.get_xfer_descs(remote, "DRAM"), peer, notification)
    state = agent.transfer(request)
    deadline = time.monotonic() + SECONDS
    while state == "PROC":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{operation} has not ended within {SECONDS} s")
        state = agent.check_xfer_state(request)
    agent.release_xfer_handle(request)
    if state != "DONE":
        raise RuntimeError(f"{operation} has ended as {state}")


# by a worker's number, as the reference names its agents
NAME = "99"


def main(operation, blockset_file, descriptors_file, notification=""):
    with open(blockset_file, encoding="utf-8") as file:
        blockset = json.load(file)
    with open(descriptors_file, encoding="utf-8") as file:
        descriptors = json.load(file)
    if descriptors["worker_id"] != blockset["worker_id"]:
        raise ValueError("The blocks are of another worker than the blockset")
    if operation == "write" and descriptors["mutability"] != "Mutable":
        raise ValueError("The blocks may not be written")
    layout = Layout(blockset["block_sets"][str(descriptors["block_set_idx"])])
    parts = [(block, layer) for block in descriptors["block_indices"] for layer in range(layout.layers)]

    agent = nixl_agent(NAME, nixl_agent_config(backends=["UCX"]))
    memory = np.zeros((len(parts), layout.region), dtype=np.uint8)
    if operation == "write":
        for row, (block, layer) in zip(memory, parts):
            row[:] = pattern(block, layer, layout.region)
    registered = agent.register_memory([(memory.ctypes.data, memory.nbytes, 0, "")], "DRAM")
    peer = agent.add_remote_agent(bytes(blockset["nixl_metadata"]))
    move(agent, operation.upper(), peer,
         [(row.ctypes.data, layout.region, 0) for row in memory],
         [(layout.address(block, layer), layout.region, layout.device) for block, layer in parts],
         notification.encode())
    for row, (block, layer) in zip(memory, parts):
        print(block, layer, row.tobytes().hex() if operation == "read" else "", file=PROTOCOL)
    agent.remove_remote_agent(peer)
    agent.deregister_memory(registered)
    print("done", file=PROTOCOL)
    PROTOCOL.flush()


main(*sys.argv[1:])
