"""The device and the number of threads that TensorFlow uses."""

import tensorflow as tf

from hundredfold import machine
from hundredfold.compute.device import keep_freed_memory
from hundredfold.errors import UsageError, shortened
from hundredfold.spec import THREADS, need


def choose(name: str, threads: int) -> tuple[str, int]:
    """Set TensorFlow's device ("auto", "cpu" or "cuda") and threads (0: every core).

    Return the device's product name and the number of threads. A process that has computed already
    keeps its threads. Raises UsageError for a device that is not available.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not gpus):
        raise UsageError(
            f"TensorFlow has no device {shortened(name)} on this machine", remedy="--device auto"
        )
    need("threads", threads, THREADS)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads or machine.cores())
        tf.config.threading.set_inter_op_parallelism_threads(threads or machine.cores())
        if name == "cpu":
            tf.config.set_visible_devices([], "GPU")
    except RuntimeError:  # TensorFlow has computed already
        pass
    keep_freed_memory()
    used = tf.config.threading.get_intra_op_parallelism_threads() or machine.cores()
    if gpus and name != "cpu":
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name")), used
    return f"{machine.processor()} (CPU)", used
