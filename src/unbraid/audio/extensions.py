"""The extensions by which audio files are found in folders; what is in a file, only its content says."""

_AUDIO = """
    3g2 3gp aa aac ac3 adts aif aifc aiff al alac alaw amr ape asf au avi caf dts eac3 f4v flac flv gsm m2ts m4a m4b
    m4r m4v mka mkv mov mp2 mp3 mp4 mpc mpeg mpg mts mxf oga ogg ogv opus ra rf64 rm sd2 sln sln16 snd spx ts tta ul
    ulaw voc vob vox w64 wav wave webm wma wmv wv
"""
EXTENSIONS = frozenset(_AUDIO.split())
