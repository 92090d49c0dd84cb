/* What every command of mayflyctl and its table (prog/mayflyctl.c) agree on. */
#ifndef MAYFLY_CTL_COMMAND_H
#define MAYFLY_CTL_COMMAND_H

/* Returned in place of an exit status: the arguments are wrong, and the table's usage is to be shown. */
#define CTL_USAGE (-1)

#endif
