import Compute
import Runtime

/// Why a file cannot be read as PyTorch weights.
package struct PyTorchError: Failure, Equatable {
  package enum Problem: Sendable, Equatable {
    /// The file is neither a zip archive nor a sequence of pickles.
    case otherFormat(ForeignFormat)
    case notPyTorch
    // The archive.
    case noCentralDirectory
    case damagedArchive(String)
    case unsafeRecordName(String)
    case repeatedRecord(String)
    case compressedRecord(String, method: Int)
    case overlappingRecords(String, String)
    case missingRecord(String)
    case bigEndian
    // The pickle.
    case cutShort
    case forbiddenGlobal(String)
    case forbiddenInstruction(String)
    case malformedPickle(String)
    case tooManyValues(limit: Int)
    case tooDeep(limit: Int)
    case trailingBytes(Int)
    // The tensors.
    case noTensors
    case repeatedTensor(String)
    case storageSize(key: String, needed: Int, found: Int)
    case storageView(key: String)
    case negativeExtent(tensor: String)
    case tooManyDimensions(tensor: String, limit: Int)
    case outsideStorage(tensor: String, elements: Int)
  }

  package let path: String
  /// Where in the file the problem shows, in bytes from its start.
  package let offset: Int
  package let problem: Problem

  package init(path: String, offset: Int, problem: Problem) {
    self.path = path
    self.offset = offset
    self.problem = problem
  }

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch problem {
    case .otherFormat(let format): "\(path): \(format.explanation)"
    case .forbiddenGlobal, .forbiddenInstruction:
      "\(path): refused: \(explanation) (byte \(offset)); nothing of it was run. If you trust the file, convert it to "
        + "safetensors"
    default: "\(path): not usable PyTorch weights: \(explanation) (byte \(offset))"
    }
  }

  private var explanation: String {
    switch problem {
    case .otherFormat(let format): format.explanation
    case .notPyTorch: "it is neither a zip archive nor a pickled file"
    case .noCentralDirectory: "the archive has no directory at its end; the file may be cut short, download it again"
    case .damagedArchive(let why): "the archive is damaged: \(why)"
    case .unsafeRecordName(let name): "the archive has a record with the path '\(printable(name))'"
    case .repeatedRecord(let name): "the archive has the record '\(printable(name))' twice"
    case .compressedRecord(let name, let method):
      "the record '\(printable(name))' is compressed (method \(method)); PyTorch stores records as they are"
    case .overlappingRecords(let first, let second):
      "the records '\(printable(first))' and '\(printable(second))' overlap"
    case .missingRecord(let name): "the archive has no record '\(printable(name))'"
    case .bigEndian: "its numbers are stored big end first"
    case .cutShort: "it ends in the middle of a value; download it again"
    case .forbiddenGlobal(let name): "the pickle asks for '\(printable(name))', which is no part of saved tensors"
    case .forbiddenInstruction(let name):
      "the pickle uses the instruction \(printable(name)), which saved tensors do not need"
    case .malformedPickle(let why): "the pickle is malformed: \(why)"
    case .tooManyValues(let limit): "the pickle holds more than \(limit) values"
    case .tooDeep(let limit): "its values are nested deeper than \(limit) levels"
    case .trailingBytes(let count): "\(count) bytes after its end belong to nothing"
    case .noTensors: "it holds no named tensors"
    case .repeatedTensor(let name): "it names the tensor '\(printable(name))' twice"
    case .storageSize(let key, let needed, let found):
      "the storage '\(printable(key))' needs \(needed) bytes, but the file has \(found)"
    case .storageView(let key): "the storage '\(printable(key))' is a view of another, as only old versions wrote"
    case .negativeExtent(let tensor): "tensor '\(printable(tensor))' has a negative size, stride or offset"
    case .tooManyDimensions(let tensor, let limit): "tensor '\(printable(tensor))' has more than \(limit) dimensions"
    case .outsideStorage(let tensor, let elements):
      "tensor '\(printable(tensor))' reaches beyond its storage of \(elements) elements"
    }
  }
}
