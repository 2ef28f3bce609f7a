// Nothing: the program is built for its precompiled header, which every test uses (df_test).
int main() { return 0; }
