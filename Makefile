# Makerside. `make` lists the targets; each has a twin for machines without make: python3 run.py TARGET
#
# Everything is kept in this folder: .venv (packages), .cache (compiled kernels), out (results).

PYTHON := $(shell for v in python3.13 python3.12 python3.11 python3; do \
	command -v $$v >/dev/null 2>&1 && $$v -c 'import sys; sys.exit(not ((3,11) <= sys.version_info < (3,14)))' 2>/dev/null && { echo $$v; break; }; done)

.PHONY: help demo test check bench bench-peers warmup clean

help:
	@echo "make demo    start a local exchange, make a market on it, show what happened (two to three minutes)"
	@echo "make test    run the tests"
	@echo "make check   formatter, linter, type checker"
	@echo "make bench   benchmarks, side by side with what they compare to"
	@echo "make bench-peers  the same work in other backtesters: fills, time and memory against the gates"
	@echo "make warmup  compile the kernels and say how long a start takes"
	@echo "make clean   remove .venv, .cache and out"

demo test check bench bench-peers warmup clean:
	@if [ -z "$(PYTHON)" ]; then \
		echo "makerside needs Python 3.11, 3.12 or 3.13; none of python3.13, python3.12, python3.11, python3 is one."; \
		exit 2; fi
	@$(PYTHON) run.py $@ $(ARGS)
