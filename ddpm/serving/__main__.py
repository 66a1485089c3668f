"""`python -m ddpm.serving`: see `ddpm.serving.server`."""

from ddpm.serving.server import main

raise SystemExit(main())
