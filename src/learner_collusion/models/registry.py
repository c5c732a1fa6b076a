"""Every base learner, one entry each; the schema, the fingerprints, the figures and the tables read it here.

To add a model: write a function or class that builds a `torch.nn.Module` with (batch, classes) outputs, and add its entry.
A model that is not listed is named by a dotted path, such as `my_package.nets.MyNet`.
"""

import importlib
import os
import re
import sys
from dataclasses import dataclass

from ..errors import UserError


@dataclass(frozen=True)
class Model:
    """`build`: "module:function" below `learner_collusion.models`, called with (classes, width, **options); `title` as figures
    and claims print it; `options`: the protocol's keys that it takes beside `width`."""

    build: str
    title: str
    options: tuple[str, ...] = ()


MODELS = {
    "resnet18": Model("cifar:resnet18", "ResNet-18"),
    "resnet34": Model("cifar:resnet34", "ResNet-34"),
    "cnn": Model("cifar:cnn", "CNN", ("variant", "dropout")),
    "vgg": Model("cifar:vgg", "VGG"),
    # Table 1; another network than the one of its name for 32 x 32 pixels above
    "imagenet_resnet18": Model("imagenet:resnet18", "ResNet-18"),
    "imagenet_resnet34": Model("imagenet:resnet34", "ResNet-34"),
    "imagenet_densenet121": Model("imagenet:densenet121", "DenseNet-121"),
    "imagenet_shufflenet_x0_5": Model("imagenet:shufflenet_x0_5", "ShuffleNet V2 0.5x"),
    "imagenet_shufflenet_x1_0": Model("imagenet:shufflenet_x1_0", "ShuffleNet V2 1x"),
    "imagenet_squeezenet1_1": Model("imagenet:squeezenet1_1", "SqueezeNet 1.1"),
    "imagenet_mobilenet_v3_small": Model("imagenet:mobilenet_v3_small", "MobileNet V3-small"),
    "imagenet_mobilevit_xs": Model("mobilevit:mobilevit_xs", "MobileViT-XS"),
}


DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def title(model: str) -> str:
    """The model's name as figures and claims print it."""
    return MODELS[model].title if model in MODELS else model.rsplit(".", 1)[-1]


def options_of(model: str, protocol: dict) -> dict:
    """What a model is built with beside `width`: of an entry here its keys of the protocol, of a class its `learner_options`."""
    if model in MODELS:
        return {name: protocol[name] for name in MODELS[model].options if protocol.get(name) is not None}
    return dict(protocol.get("learner_options") or {})


def builder_code(model: str) -> list[str]:
    """What a fingerprint needs to cover the code of a model, and which keys of the protocol it is given."""
    if model not in MODELS:
        return [f"path:{model}"]
    return [f"models.{MODELS[model].build}", f"={MODELS[model].options}"]


def builder(model: str):
    """The function or class that builds a base learner: of an entry here, or at a dotted path, which may start in the current
    folder. UserError where there is none."""
    if model in MODELS:
        module, _, name = MODELS[model].build.partition(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)
    if not DOTTED_PATH.fullmatch(model):
        raise UserError(unknown(model))
    module, _, name = model.rpartition(".")
    if os.getcwd() not in sys.path and "" not in sys.path:  # the console script does not look there
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"The model {model!r} cannot be imported ({error}): check its dotted path.") from None
    except (Exception, SystemExit) as error:  # whatever the user's module raises; a script may end itself
        reason = " ".join(str(error).split())
        raise UserError(
            f"The model {model!r} cannot be imported ({type(error).__name__}: {reason}): correct its module."
        ) from error
    if not callable(found):
        raise UserError(f"The model {model!r} is no function or class: check its dotted path.")
    return found


def unknown(model: str) -> str:
    """What a user is told of a name that is no model."""
    return (
        f"The model {model!r} is unknown: choose one of {', '.join(MODELS)}, or give the dotted path of a class, such as "
        "my_package.nets.MyNet."
    )
