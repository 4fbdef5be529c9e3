# Everything a person does here. "make demo" and "make test" need nothing but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
POWER_CUT := tests/edge/power_cut
REHEARSAL := .rehearsal
CUTS_POWER := LD_PRELOAD=$(CURDIR)/$(REHEARSAL)/power_cut.so PYTHONPATH=$(POWER_CUT)

.PHONY: help demo test check format dist clean rehearse-store rehearse-update rehearse-update-faults rehearse-camera \
	rehearse-streams rehearse-device rehearse-arm64 rehearse-fleet rehearse-card rehearse-benchmark results figures versus \
	mutate check-tflite-runtime check-litert check-onnxruntime check-mediapipe

help:
	@echo "make demo     recognise animals now"
	@echo "make test     run the tests"
	@echo "make check    lint, types and import rules, as CI runs them"
	@echo "make format   put the code in shape"
	@echo "make mutate [MODULES=\"visits floor\"] [JOBS=2] [MINUTES=60]   change the pure modules, see which changes no test notices"
	@echo "make check-tflite-runtime EXPORT=exports/NAME   replay an export on tflite-runtime 2.14 (Python 3.11)"
	@echo "make check-litert EXPORT=exports/NAME           ... on the oldest LiteRT"
	@echo "make check-onnxruntime EXPORT=exports/NAME      ... on the oldest ONNX Runtime"
	@echo "make check-mediapipe BUNDLE=exports/NAME/int8.bundle PICTURES=DIR   labels in MediaPipe Tasks"
	@echo "make results BUNDLES=exports KERAS=runs/NAME DATA=DIR HELD_OUT=DIR SOAK=1800   measure the project's own figures"
	@echo "make figures  their tables into docs/benchmarks.md"
	@echo "make versus BUNDLE=exports/NAME/int8.bundle [KERAS=runs/NAME]   Trailcam against what one might use instead"
	@echo "make dist     build the wheel"
	@echo "make rehearse-store   cut the power of an event store at every write, then 200 times at random"
	@echo "make rehearse-update  cut the power of a device at every write of its updates, and again while it recovers"
	@echo "make rehearse-update-faults  let its disk fail at every call, and kill the update in every step, twice"
	@echo "make rehearse-camera  the real Picamera2 on a virtual camera; this and the next six as root, see docs/rehearsal.md"
	@echo "make rehearse-streams RTSP and Motion JPEG from real servers, which are killed and come back"
	@echo "make rehearse-device  the service in a booted system: watchdog, network loss, power cut"
	@echo "make rehearse-fleet   a camera from a fresh system over SSH, then a fleet: dead, slow and wrong ones, the plug pulled"
	@echo "make rehearse-card    a card from its first start with cloud-init to a camera, the plug pulled in the middle"
	@echo "make rehearse-benchmark   trailcam benchmark --on a booted system, the cable pulled out in the middle"
	@echo "make rehearse-arm64   a Raspberry Pi's userland under qemu: the same answers"
	@echo "make clean    remove the environment and what was built"

demo: $(VENV)/base
	@$(BIN)/trailcam demo

test: $(VENV)/dev
	$(BIN)/pytest

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pure modules and their tests are a table in tools/mutation.py.
MODULES ?=
JOBS ?= 2
MINUTES ?= 60
mutate: $(VENV)/dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[mutation]'
	$(BIN)/python tools/mutation.py $(MODULES) --jobs $(JOBS) --minutes $(MINUTES)

dist: $(VENV)/dev
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

rehearse-store: $(VENV)/dev
	mkdir -p $(REHEARSAL) && $(CC) -O1 -shared -fPIC -o $(REHEARSAL)/power_cut.so $(POWER_CUT)/power_cut.c -ldl
	rm -rf $(REHEARSAL)/writes $(REHEARSAL)/kills && mkdir $(REHEARSAL)/writes
	$(CUTS_POWER) $(BIN)/python tests/edge/store/rehearse.py $(REHEARSAL)/writes
	$(BIN)/python tests/edge/store/rehearse_kills.py $(REHEARSAL)/kills 200

rehearse-update: $(VENV)/dev
	mkdir -p $(REHEARSAL) && $(CC) -O1 -shared -fPIC -o $(REHEARSAL)/power_cut.so $(POWER_CUT)/power_cut.c -ldl
	rm -rf $(REHEARSAL)/update
	$(CUTS_POWER) $(BIN)/python tests/edge/update/rehearse.py $(REHEARSAL)/update
	rm -rf $(REHEARSAL)/fetch
	$(CUTS_POWER) $(BIN)/python tests/edge/update/rehearse_fetch.py $(REHEARSAL)/fetch

rehearse-update-faults: $(VENV)/dev
	mkdir -p $(REHEARSAL) && $(CC) -O1 -shared -fPIC -o $(REHEARSAL)/disk_fault.so tests/edge/update/disk_fault.c -ldl
	rm -rf $(REHEARSAL)/faults $(REHEARSAL)/update-kills
	LD_PRELOAD=$(CURDIR)/$(REHEARSAL)/disk_fault.so $(BIN)/python tests/edge/update/rehearse_faults.py $(REHEARSAL)/faults
	$(BIN)/python tests/edge/update/rehearse_kills.py $(REHEARSAL)/update-kills

rehearse-camera rehearse-streams rehearse-device rehearse-arm64 rehearse-fleet rehearse-card rehearse-benchmark: $(VENV)/dev
	$(BIN)/python tests/rig/$(subst -,_,$@).py

# On a machine that does nothing else. Parts that are there and not stale are kept, so an interrupted run is gone on with.
BUNDLES ?=
KERAS ?=
DATA ?=
HELD_OUT ?=
SOAK ?=
results: $(VENV)/dev
	$(BIN)/python -m trailcam_project.results $(if $(BUNDLES),--bundles $(BUNDLES)) $(if $(KERAS),--keras $(KERAS)) \
		$(if $(DATA),--data $(DATA)) $(if $(HELD_OUT),--held-out $(HELD_OUT)) $(if $(SOAK),--soak $(SOAK))

figures: $(VENV)/dev
	$(BIN)/python -m trailcam_project.results.docs_tables

versus: $(VENV)/dev
	$(BIN)/python -m trailcam_project.versus $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(KERAS),--keras $(KERAS))

# Old and foreign interpreters, each in an environment of its own. Where a wheel is not to be had, the check says so and
# is skipped. numpy below 2 is what the oldest were built for, and OpenCV 4.11 the last that takes it.
EXPORT ?=
BUNDLE ?=
PICTURES ?=
OLD := numpy\<2 opencv-python-headless==4.11.0.86 tqdm
in_environment = $(PYTHON) -m venv $(VENV)-$(1) && { $(VENV)-$(1)/bin/pip install --quiet --disable-pip-version-check $(2) \
	|| { echo "skipped: $(1) has no wheel for this Python and machine"; exit 0; }; } \
	&& PYTHONPATH=edge $(VENV)-$(1)/bin/python $(3)

check-tflite-runtime:
	@$(call in_environment,tflite-runtime,tflite-runtime==2.14.0 $(OLD),tests/environments/replay_bundles.py tflite $(EXPORT))

check-litert:
	@$(call in_environment,litert,ai-edge-litert==2.1.0 $(OLD),tests/environments/replay_bundles.py tflite $(EXPORT))

check-onnxruntime:
	@$(call in_environment,onnxruntime,onnxruntime==1.17.3 ai-edge-litert==2.1.0 $(OLD),tests/environments/replay_bundles.py onnx $(EXPORT))

check-mediapipe:
	@$(call in_environment,mediapipe,mediapipe ai-edge-litert tqdm,tests/environments/mediapipe_labels.py $(BUNDLE) $(PICTURES))

clean:
	rm -rf $(VENV) $(VENV)-* $(REHEARSAL) .mutation dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam needs a 64-bit system, and this Python is a 32-bit one: install the 64-bit Raspberry Pi OS.") if sys.maxsize < 2**32 else None'
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.13") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# An editable install: what runs is this checkout.
$(VENV)/base: $(VENV)/bin/python pyproject.toml
	@echo "Installing what a camera needs (130 MB to fetch, a minute or two) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml
	@echo "Installing what training, export and the tests need (930 MB to fetch, a few minutes) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,export,dev]'
	@touch $@ $(VENV)/base
