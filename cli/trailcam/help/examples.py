"""Examples below the help of every command; a test parses each of them."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("trailcam demo", "trailcam demo --json"),
    "classify": (
        "trailcam classify photo.jpg photos/",
        "trailcam classify card/ --out rows.csv",
        "trailcam classify card/ --out rows.json --boxes megadetector.json",
        "trailcam classify s3://bucket/2026 --out rows.parquet --ray auto",
        "trailcam classify photo.jpg --bundle exports/mine/int8.bundle",
    ),
    "card": (
        "trailcam card /media/card --store visits/",
        "trailcam card /media/card --store visits/ --stations stations.csv --timezone Europe/Berlin",
    ),
    "watch": (
        "trailcam watch --source picamera2 --visits",
        "trailcam watch --source clip.mp4 --fast --visits --json",
        "trailcam watch --source 0 --store visits/ --live",
        "trailcam watch --source-file camera-address.txt",
    ),
    "service": ("sudo trailcam service install", "trailcam service install --root preview/"),
    "cameras": ("trailcam cameras",),
    "status": ("trailcam status", "trailcam status --json"),
    "events": (
        "trailcam events --store visits/ --since 7d",
        "trailcam events --store visits/ --label fox --csv > foxes.csv",
        "trailcam events --store visits/ --camtrap-dp week.zip --contributor Jo --stations stations.csv",
        "trailcam events --store visits/ --reviewed --csv > reviewed.csv",
        "trailcam events --store visits/ --accuracy",
    ),
    "review": ("trailcam review visits/", "trailcam review visits/ --serve 0.0.0.0:8080 --reviewer Jo"),
    "data": (
        "trailcam data check photos/",
        "trailcam data import visits/ stores/oak --out dataset/",
        "trailcam data import package/ --out dataset/",
        "trailcam data import labels.csv coco.json --media photos/ --out dataset/",
        "trailcam data cutouts photos/ --run runs/mine --out cutouts/",
    ),
    "train": (
        "trailcam train photos/ --name mine",
        "trailcam train photos/ --recipe efficientnet_lite2 --name mine",
        "trailcam train --resume runs/mine",
        "trailcam train field-data/ --from runs/mine --name mine2",
    ),
    "train compare": ("trailcam train compare runs/mine runs/other",),
    "export": ("trailcam export runs/mine", "trailcam export runs/mine --variants int8,onnx-float32 --gate strict"),
    "inspect": ("trailcam inspect", "trailcam inspect exports/mine/int8.bundle --json"),
    "release": (
        "trailcam release init",
        "trailcam release add exports/mine/int8.bundle --percent 10",
        "trailcam release status",
    ),
    "deploy": (
        "trailcam deploy exports/mine/int8.bundle --to pi@camera",
        "trailcam deploy exports/mine/int8.bundle --inventory fleet.toml",
    ),
    "deploy status": ("trailcam deploy status --inventory fleet.toml",),
    "deploy rollback": ('trailcam deploy rollback --to pi@camera --reason "worse at night"',),
    "deploy logs": ("trailcam deploy logs --to pi@camera",),
    "deploy collect": ("trailcam deploy collect --inventory fleet.toml --into stores/ --budget-mb 200",),
    "deploy sdcard": ("trailcam deploy sdcard /media/bootfs --hostname oak --bundle exports/mine/int8.bundle",),
    "update": (
        "trailcam update",
        "trailcam update /media/stick/release --channel mine",
        'trailcam update --roll-back "worse at night"',
    ),
    "benchmark": (
        "trailcam benchmark exports/mine/float32.bundle exports/mine/int8.bundle",
        "trailcam benchmark --field scenes/ cutouts/",
    ),
    "doctor": ("trailcam doctor", "trailcam doctor --json --offline > doctor.json"),
    "completion": ('eval "$(trailcam completion bash)"',),
}
