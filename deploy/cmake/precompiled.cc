// Nothing: compiled for the precompiled headers of precompiled.cmake.
int main() { return 0; }
