# One main process a folder: after a kill the same command goes on, and where another one lives it says which (plan/owner.py).
#
# Requires: nothing
# Produces: .snakemake/main.json while a main process works
from learner_collusion.plan.owner import owning


def alone(execute):
    """Snakemake's `execute` in a folder of its own. Jobs, dry runs and `--nolock` need none."""

    def execute_alone(*arguments, executor_plugin, **named):
        job = workflow.subprocess_exec or workflow.remote_exec
        dry = executor_plugin.common_settings.dryrun_exec
        if job or dry or not workflow.execution_settings.lock:
            return execute(*arguments, executor_plugin=executor_plugin, **named)
        try:
            with owning(Path.cwd(), logger.warning):
                return execute(*arguments, executor_plugin=executor_plugin, **named)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return execute_alone


workflow.execute = alone(workflow.execute)
