# `make run` makes everything, `make test` tests it, `make docs` builds the site; all set up .venv first, once.
# `make run SETTINGS=config/mine.yaml` lays a file over the default settings, once it is known to be no code.
# `make unlock` frees the folder after a run was killed.
# A machine without a GPU: `make run TORCH=cpu` takes PyTorch's smaller CPU build (see README.md).
TORCH ?= $(if $(wildcard .venv/.ready-cpu),cpu,default)
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip
READY := .venv/.ready-$(TORCH)
# The pipeline's jobs are short processes: without bytecode each would compile torch's thousands of modules again.
SYNC := $(UV) sync --compile-bytecode --require-hashes --python $(BIN)/python

ifneq ($(words $(CURDIR)),1)
$(error expected a folder whose path holds no space, got "$(CURDIR)": the programs in .venv would not start; move or rename it)
endif

.PHONY: run unlock test docs setup serve explorer lock platforms
.DELETE_ON_ERROR:

run: $(READY)
	@test -z "$$(ls .snakemake/locks 2>/dev/null)" || { echo "This folder is locked: a run is going on here, or one was killed. If none is going on, 'make unlock' frees it." >&2; exit 1; }
ifdef SETTINGS
	$(BIN)/python -m transporter.pipeline.templates "$(SETTINGS)"
endif
	$(BIN)/snakemake --cores all $(if $(SETTINGS),--configfile "$(SETTINGS)")
	@echo "The page is at file://$(CURDIR)/results/gallery/index.html"

# After a kill or a loss of power; what was finished stays.
unlock: $(READY)
	$(BIN)/snakemake --unlock

test: $(READY)
	$(BIN)/python -m pytest -n auto

# The site of docs/, in site/; it needs no network.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site is at file://$(CURDIR)/site/index.html"

setup: $(READY)

# The live explorer, for this machine alone. Gradio has a folder of its own: its bounds are not those of the rest.
serve: explorer
	PYTHONPATH=.venv/serve $(BIN)/transporter serve

explorer: .venv/serve/.ready

.venv/serve/.ready: envs/serve.txt $(READY)
	rm -rf .venv/serve
	$(UV) install --quiet --require-hashes --python $(BIN)/python --target .venv/serve --requirement envs/serve.txt
	touch $@

$(READY): envs/requirements.txt envs/uv.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement envs/uv.txt
ifeq ($(TORCH),cpu)
	awk '/^[^ ]/ { skip = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==/ } !skip' envs/requirements.txt > .venv/requirements.txt
	$(SYNC) .venv/requirements.txt envs/uv.txt
	$(UV) install --compile-bytecode --no-deps --torch-backend cpu --python $(BIN)/python \
		$$(grep -oE '^(torch|torchvision)==[^ ]+' envs/requirements.txt)
else
	$(SYNC) envs/requirements.txt envs/uv.txt
endif
	$(UV) install --no-deps --no-build-isolation --python $(BIN)/python --editable .
	rm -f .venv/.ready-*
	touch $@

# Choose versions anew; those in the files stay where they still fit (delete a file to take the newest).
# Gradio wants older versions of these:
UNLIKE := pillow|tomlkit
lock: $(READY)
	$(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra dev --extra docs pyproject.toml -o envs/requirements.txt
	grep -oE '^[^ ]+==[^ ]+' envs/requirements.txt | grep -vE '^($(UNLIKE))==' > .venv/constraints.txt
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['serve'], sep='\n')" | \
		$(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--constraint .venv/constraints.txt - -o envs/serve.txt
	echo snakemake-executor-plugin-slurm | $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --constraint envs/requirements.txt - -o envs/slurm.txt
	sed -i "s/^LOCK=.*/LOCK=$$(sha256sum < envs/requirements.txt | cut -d ' ' -f 1)/" envs/transporter.post-deploy.sh
	echo uv | $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o envs/uv.txt

# Can the files be installed on every machine that they are for? Nothing is downloaded but what the registry says of files.
PINS := envs/requirements.txt
PLATFORMS := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-apple-darwin
NO_WHEELS := antlr4-python3-runtime connection-pool docopt # in plain Python, so any machine can build them
platforms: $(READY)
	@empty=$$(mktemp -d); trap 'rm -r "$$empty"' EXIT; for platform in $(PLATFORMS); do \
		MACOSX_DEPLOYMENT_TARGET=14.0 $(UV) install --quiet --dry-run --no-deps --require-hashes \
			--only-binary :all: $(NO_WHEELS:%=--no-binary %) --target "$$empty" \
			--python $(BIN)/python --python-version 3.11 --python-platform $$platform \
			--requirement $(PINS) --requirement envs/uv.txt || { echo "$$platform lacks a wheel of what $(PINS) pins" >&2; exit 1; }; \
	done
