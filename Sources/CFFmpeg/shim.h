#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/crc.h>
#include <libavutil/display.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

// Swift sees no function-like macros, so the values that need one are constants here.

static const int vap_error_again = AVERROR(EAGAIN);
static const int vap_error_end = AVERROR_EOF;
static const int vap_error_exit = AVERROR_EXIT;
static const int vap_error_invalid_data = AVERROR_INVALIDDATA;
static const int vap_error_no_memory = AVERROR(ENOMEM);
static const int vap_error_not_permitted = AVERROR(EPERM);
static const int vap_error_io = AVERROR(EIO);
static const int vap_error_unsupported = AVERROR_PATCHWELCOME;
static const int64_t vap_no_timestamp = AV_NOPTS_VALUE;

// Calls whose types or names changed between FFmpeg 5.1 and later releases.

/// An I/O context over callbacks; the `const` of the write callback's bytes depends on the release.
static inline AVIOContext *vap_io_context(
    unsigned char *buffer, int size, int writes, void *opaque, int (*read)(void *, uint8_t *, int),
    int (*write)(void *, const uint8_t *, int), int64_t (*seek)(void *, int64_t, int)) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  return avio_alloc_context(buffer, size, writes, opaque, read, write, seek);
#else
  return avio_alloc_context(buffer, size, writes, opaque, read, (int (*)(void *, uint8_t *, int))write, seek);
#endif
}

/// The nine elements of a stream's display matrix, or NULL.
static inline const int32_t *vap_stream_display_matrix(const AVStream *stream) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  const AVPacketSideData *data = av_packet_side_data_get(
      stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return data && data->size >= 36 ? (const int32_t *)data->data : NULL;
#else
  size_t size = 0;
  const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return data && size >= 36 ? (const int32_t *)data : NULL;
#endif
}

/// The nine elements of a frame's display matrix, or NULL.
static inline const int32_t *vap_frame_display_matrix(const AVFrame *frame) {
  const AVFrameSideData *data = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
  return data && data->size >= 36 ? (const int32_t *)data->data : NULL;
}

static inline int vap_frame_is_interlaced(const AVFrame *frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
  return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame->interlaced_frame;
#endif
}
