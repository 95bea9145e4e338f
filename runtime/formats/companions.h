// The files beside the tensors that belong to a Hugging Face model.
#pragma once

#include <string>
#include <vector>

namespace aoa::formats {

// Names below the folder `path`, sorted: what must travel with the tensors so that the model loads at its new place as
// at the old one, and never weights or their indexes. Nothing for a file, which may have been left among files of
// another model.
std::vector<std::string> ModelCompanions(const std::string& path);

}  // namespace aoa::formats
