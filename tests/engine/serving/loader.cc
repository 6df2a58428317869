// Loads a SavedModel as TF Serving does, and answers through `serving_default`: no Python here.
//
// usage: loader DIRECTORY
//
// Standard input: one text a line, its bytes in hexadecimal (an empty line is an empty text); a
// line `run` ends a batch. Standard output: one line of JSON a batch, output name to
// {"shape": [...], "values": [...]}; strings in hexadecimal. The model takes one string input.

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/public/session_options.h"

namespace {

using tensorflow::Tensor;

int Fail(const std::string& what) {
  std::cerr << what << std::endl;
  return 1;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string Quoted(const tensorflow::tstring& bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string hex = "\"";
  for (size_t i = 0; i < bytes.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(bytes[i]);
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex + "\"";
}

std::string Value(const Tensor& tensor, int64_t i) {
  char text[64];
  switch (tensor.dtype()) {
    case tensorflow::DT_STRING:
      return Quoted(tensor.flat<tensorflow::tstring>()(i));
    case tensorflow::DT_FLOAT:
      std::snprintf(text, sizeof text, "%.9g", tensor.flat<float>()(i));
      return text;
    case tensorflow::DT_INT32:
      return std::to_string(tensor.flat<int32_t>()(i));
    case tensorflow::DT_BOOL:
      return tensor.flat<bool>()(i) ? "true" : "false";
    case tensorflow::DT_INT64:
      return std::to_string(tensor.flat<int64_t>()(i));
    default:
      return "null";
  }
}

std::string Json(const Tensor& tensor) {
  std::string shape, values;
  for (int axis = 0; axis < tensor.dims(); ++axis) {
    shape += (axis ? ", " : "") + std::to_string(tensor.dim_size(axis));
  }
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    values += (i ? ", " : "") + Value(tensor, i);
  }
  return "{\"shape\": [" + shape + "], \"values\": [" + values + "]}";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return Fail("usage: loader DIRECTORY");
  tensorflow::SavedModelBundle bundle;
  auto status = tensorflow::LoadSavedModel(tensorflow::SessionOptions(), tensorflow::RunOptions(),
                                           argv[1], {"serve"}, &bundle);
  if (!status.ok()) return Fail(status.ToString());
  const auto& signatures = bundle.meta_graph_def.signature_def();
  const auto found = signatures.find("serving_default");
  if (found == signatures.end()) return Fail("no signature serving_default");
  const auto& signature = found->second;
  if (signature.inputs().size() != 1) return Fail("the model takes more than one input");
  const std::string input = signature.inputs().begin()->second.name();
  std::vector<std::string> names, fetches;
  for (const auto& [name, info] : signature.outputs()) {
    names.push_back(name);
    fetches.push_back(info.name());
  }

  std::vector<std::string> texts;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line != "run") {
      texts.push_back(FromHex(line));
      continue;
    }
    Tensor batch(tensorflow::DT_STRING, {static_cast<int64_t>(texts.size())});
    for (size_t i = 0; i < texts.size(); ++i) batch.flat<tensorflow::tstring>()(i) = texts[i];
    texts.clear();
    std::vector<Tensor> outputs;
    status = bundle.session->Run({{input, batch}}, fetches, {}, &outputs);
    if (!status.ok()) return Fail(status.ToString());
    for (size_t i = 0; i < names.size(); ++i) {
      std::cout << (i ? ", " : "{") << "\"" << names[i] << "\": " << Json(outputs[i]);
    }
    std::cout << "}" << std::endl;
  }
  return 0;
}
