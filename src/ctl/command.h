/* What every command of mayflyctl and its table (prog/mayflyctl.c) agree on. */
#pragma once

/* A command returns the exit status, or this: the arguments are wrong, and its usage is to be
   shown. */
#define CTL_USAGE (-1)
