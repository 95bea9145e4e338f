// The one way to ANTLR: its runtime and what it generated from grammar/.
#pragma once

#include <antlr4-runtime.h>

#include "AoaLexer.h"
#include "AoaParser.h"
