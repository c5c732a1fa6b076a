"""Every kind of image data set, one entry each: the module below `learner_collusion.data` that fetches and reads it.

Such a module has `fetch(dataset, settings, mirror) -> (where, files)` with `files` a dict of name to bytes, and
`read(dataset, settings, files) -> (train, test)` with each part uint8 images (n, 32, 32, 3) and int64 labels (n,).
To add a source: write the module, and add its entry; a data set that uses it is an entry of `images.datasets` in config.yaml.
"""

IMAGE_SOURCES = {"cifar": "cifar", "svhn": "svhn", "digits": "digits"}

# How many classes a source has: by the name of the data set where it has several, else under "".
CLASSES = {"cifar": {"cifar10": 10, "cifar100": 100}, "svhn": {"": 10}, "digits": {"": 10}}

# The environment variable that names a folder with copies of the raw files.
MIRROR_VARIABLE = "LEARNER_COLLUSION_MIRROR"
