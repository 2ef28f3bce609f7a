#pragma once

#include <string>

#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer {

// For messages: "piece 7 of" and the task.
std::string PieceName(const PieceRequest& request);

// Where what a parent says of a piece contradicts what it was asked for, and what that means; empty
// when nothing does.
std::string ContradictionOf(const PieceHead& head, const PieceRequest& request);

}  // namespace dragonfly::dfdaemon::transfer
