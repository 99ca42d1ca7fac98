# Training and accuracy. Rows are computed by the release binary, so both build it first.
MODEL_VENV := model/.venv
MODEL_WORK := model/work
MODEL_BIN ?= $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/release/streamguard
# Your own captures: make model OWN="path/to/manifest.csv ..." (format: docs/features.md)
OWN ?=
# Where the result goes. It does not replace the artefact that ships unless you say so: compare first (make accuracy).
MODEL_OUT ?= build/model
# Recorded after everything was fixed, to be judged by: never in training.
MODEL_HELD = $(foreach m,12 13 16 17,model/corpus/mix$(m)/manifest.csv)
MODEL_MANIFESTS = $(wildcard $(SHARED)/captures/manifest.csv) $(filter-out $(MODEL_HELD),$(sort $(wildcard model/corpus/*/manifest.csv))) $(OWN)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: model threat-model accuracy model-test

$(MODEL_VENV)/ready: model/train/requirements.txt
	python3 -m venv $(MODEL_VENV)
	$(MODEL_VENV)/bin/pip install --quiet --disable-pip-version-check -r model/train/requirements.txt
	touch $@

model: $(MODEL_VENV)/ready ## train build/model/streaming.forest; own captures: OWN=manifest.csv
	mkdir -p $(MODEL_OUT)/report
	$(CARGO) build --release --locked
	$(MODEL_VENV)/bin/python model/train/train.py --bin $(MODEL_BIN) --cache $(MODEL_WORK)/rows --work $(MODEL_WORK)/folds \
		$(foreach m,$(MODEL_MANIFESTS),--manifest $(m)) \
		--out $(MODEL_OUT)/streaming.forest --parity $(MODEL_OUT)/parity.json --report $(MODEL_OUT)/report --card $(MODEL_OUT)/MODEL_CARD.md

threat-model: $(MODEL_VENV)/ready ## train build/model/threat.forest, the second opinion on alerts (record first: make attacks-record)
	mkdir -p $(MODEL_OUT)
	$(CARGO) build --release --locked
	$(MODEL_VENV)/bin/python model/train/threat.py --bin $(MODEL_BIN) --cache $(MODEL_WORK)/rows --lab $(or $(wildcard $(LAB_CAPTURES)),tests/attacks/captures) \
		$(if $(wildcard $(SHARED)/captures),--shared $(SHARED)/captures) --out $(MODEL_OUT)/threat.forest --parity $(MODEL_OUT)/threat_parity.json \
		--card $(MODEL_OUT)/THREAT_CARD.md $(if $(DOC),--doc $(DOC))

accuracy: ## score left-out captures through the binary, write docs/accuracy.md
	@if [ ! -f $(SHARED)/captures/manifest.csv ]; then \
		echo "accuracy: no labelled captures at $(SHARED)/captures, skipped (docs/accuracy.md stays)"; \
	else $(MAKE) accuracy-run; fi

.PHONY: accuracy-run
accuracy-run: $(MODEL_VENV)/ready
	$(CARGO) build --release --locked
	$(MODEL_VENV)/bin/python model/train/accuracy.py --bin $(MODEL_BIN) --cache $(MODEL_WORK)/rows --work $(MODEL_WORK)/folds \
		$(foreach m,$(MODEL_MANIFESTS),--manifest $(m)) $(foreach m,$(MODEL_HELD),--held $(m)) --scorer $(SHARED)/tools/score_watch_time.py --out docs/accuracy.md

model-test: $(MODEL_VENV)/ready ## unit tests of the trainer
	$(MODEL_VENV)/bin/python -m unittest discover -s model/train/tests
