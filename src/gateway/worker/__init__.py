"""Worker: an example of a client that claims queued tests, runs them and sends their results.

It uses the API as any other client does. An adapter calls the model, and a judge scores the answer;
both are functions that `dreamnet work` is given by name.
"""

from gateway.worker.items import (
    Adapter as Adapter,
    Answer as Answer,
    Impossible as Impossible,
    Judge as Judge,
    Verdict as Verdict,
    WorkItem as WorkItem,
)
from gateway.worker.worker import Worker as Worker
