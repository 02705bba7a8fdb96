"""The history of runs, for people who ask what happened when."""

from dataclasses import asdict

from django.utils import timezone

from sync.counted import RUNS
from sync.engine import Slice
from sync.errors import BudgetSpent, ClinikoError
from sync.lease import LeaseLost
from sync.models import Run


def run_slice(turn: Slice) -> bool:
    """Run the slice and write its history, the reason of an error included, which travels on."""
    run = Run(started_at=timezone.now(), result=Run.Result.STOPPED, reason="The worker was stopped.")
    try:
        done = turn.run()
        run.result, run.reason = (Run.Result.DONE if done else Run.Result.CONTINUES), ""
        return done
    except ClinikoError as failure:
        run.reason = str(failure)
        if isinstance(failure, BudgetSpent):
            run.result = Run.Result.CONTINUES
        raise
    except LeaseLost:
        run.reason = "Somebody paused the sync, changed the key or what is stored, or another worker took over."
        raise
    except Exception as failure:
        run.reason = f"An error of our own: {type(failure).__name__}."  # its text may quote a record
        raise
    finally:
        run.finished_at = timezone.now()
        run.resources = {name: asdict(counts) for name, counts in turn.counts.items()}
        run.save()
        RUNS.add(result=run.result)
