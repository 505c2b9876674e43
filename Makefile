# medseg: `make demo` and `make test` are all a fresh clone needs; both set up .venv first.
PYTHON ?= python3
EXTRAS ?= dev
VENV := .venv
CONSUMERS := .venv-consumers
LOWEST := .venv-lowest
DEPLOY := .venv-deploy
NNUNET := .venv-nnunet
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

CORE := tests/test_geometry.py tests/labels $(addprefix tests/,base cli metrics losses transforms export report) \
	$(addprefix tests/ingest/,volumes dicom/rules dicom/header)

.PHONY: help demo test test-core test-lowest test-long test-slow test-pacs test-consumers test-nnunet lint docs bundles drawings venv clean
help:             ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

venv: $(VENV)/.ready   ## make .venv with every dependency at its tested version

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "medseg needs Python >= 3.10")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.$(EXTRAS:%=[%])'
	touch $@

demo: venv        ## synthetic CT -> train -> segment a DICOM study -> evaluate (a smoke run)
	$(BIN)/python scripts/demo.py

test: venv        ## the test suite, two files at a time, the longest first
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --max-worker-restart 0

test-core: venv   ## the tests that need no extra but `test`, 2 minutes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --max-worker-restart 0 $(CORE)

test-lowest:      ## the core tests with the lowest versions that pyproject.toml allows
	test -f $(LOWEST)/.ready || $(PYTHON) -m venv --clear $(LOWEST)
	test -f $(LOWEST)/.ready || $(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c tests/lowest_constraints.txt -e '.[test]'
	touch $(LOWEST)/.ready
	$(LOWEST)/bin/python -m pytest -q -n 2 --dist loadfile --max-worker-restart 0 $(CORE)

test-long: venv   ## the tests that take seconds each, and those with OpenVINO
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --max-worker-restart 0 -m "long and not slow and not gpu"
	$(BIN)/python -m pytest -q -m "openvino and not slow and not gpu"

test-slow: venv   ## the tests that take minutes to hours
	$(BIN)/python -m pytest -q -m slow

test-pacs: venv   ## the tests with a real PACS (Orthanc), 3 minutes; without one they are skipped
	$(BIN)/python -m pytest -q -m pacs tests/integration

test-consumers: $(CONSUMERS)/.ready $(DEPLOY)/.ready test-nnunet  ## MONAI Label, federated clients and MONAI Deploy run the bundles
	PYTHONPATH=tests/consumers/stubs $(CONSUMERS)/bin/python -W ignore -c 'import monailabel.tasks.infer.bundle'
	$(CONSUMERS)/bin/python -m pytest -q tests/consumers/test_monai_label.py
	$(CONSUMERS)/bin/python -m pytest -q -m 'long or not long' tests/integration/test_federated.py
	$(DEPLOY)/bin/python -m pytest -q tests/consumers/test_monai_deploy.py

test-nnunet: $(NNUNET)/.ready  ## imported models give the labels of nnU-Net
	$(NNUNET)/bin/python -m pytest -q tests/consumers/test_nnunet.py

$(NNUNET)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(NNUNET)
	$(NNUNET)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[nnunet,fast,test]' nnunetv2==2.7.0
	touch $@

$(CONSUMERS)/.ready: pyproject.toml constraints.txt tests/consumers/requirements.txt
	$(PYTHON) -m venv --clear $(CONSUMERS)
	$(CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/consumers/requirements.txt
	touch $@

$(DEPLOY)/.ready: $(CONSUMERS)/.ready tests/consumers/requirements-deploy.txt
	$(PYTHON) -m venv --clear $(DEPLOY)
	$(DEPLOY)/bin/python tests/consumers/share_packages.py $(CONSUMERS)
	$(DEPLOY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/consumers/requirements-deploy.txt
	touch $@

lint: venv        ## ruff, mypy, and the freshness of what is built or drawn
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/build_bundles.py --check
	$(BIN)/python scripts/draw_topologies.py --check

docs: venv        ## the documentation as a site in site/, a dead link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --clean

bundles: venv     ## build bundles/*/configs from bundles/layers, and docs/reference/keys.md
	$(BIN)/python scripts/build_bundles.py

drawings: venv    ## draw the topologies and the layout for docs/
	$(BIN)/python scripts/draw_topologies.py
	$(BIN)/python scripts/draw_layout.py

clean:            ## remove .venv, the demo's folder, the site and caches
	rm -rf $(VENV) $(CONSUMERS) $(DEPLOY) $(NNUNET) demo site .pytest_cache .mypy_cache .ruff_cache
